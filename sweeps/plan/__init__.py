"""Ablation plans: planned trials, and the tuning of each arm."""
