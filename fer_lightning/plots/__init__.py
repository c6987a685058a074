"""The learning curves, effects, audits and contact sheets as figures: a function takes data and an ``ax``."""
