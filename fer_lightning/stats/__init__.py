"""Statistics of ablation: what a difference between arms is worth."""
