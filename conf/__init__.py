"""The configuration groups of the project, read by Hydra; a folder's name is its config key."""
