"""The learning curves, audits, saliency and contact sheets as figures: a function takes data and an ``ax``."""
