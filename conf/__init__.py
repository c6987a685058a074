"""The configuration groups of the project, read by Hydra; a folder's name is its config key."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

# What a file includes as `/any_keys@_here_` takes keys that it does not list; the schema checks them.
ConfigStore.instance().store("any_keys", OmegaConf.create({}, flags={"struct": False}))
