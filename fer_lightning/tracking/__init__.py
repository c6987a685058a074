"""What a run leaves behind: its record, its metrics, and its copy in Weights & Biases."""
