"""Optuna studies under Hydra: search spaces, ablation plans, storage, resume, peer workers."""
