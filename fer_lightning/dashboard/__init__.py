"""The live dashboard: Optuna's, on loopback, for looking only, with every trial's pictures in its note."""
