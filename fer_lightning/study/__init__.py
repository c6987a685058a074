"""An experiment, a study's trial, and what a study found."""
