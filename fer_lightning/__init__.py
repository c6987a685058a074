"""Why did the model get better? Ablation studies for facial-expression recognition in one command."""

__version__ = "0.1.0"
