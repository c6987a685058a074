"""The configuration groups of the project, read by Hydra; a folder's name is its config key."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

# What a file includes as `/any_keys@_here_` takes keys that it does not list; the schema checks them.
_ANY_KEYS = OmegaConf.create({}, flags={"struct": False})
ConfigStore.instance().store("any_keys", _ANY_KEYS)
# One file for these groups of every run: each file that Hydra merges costs every trial of a study time.
ConfigStore.instance().store(
    "open_groups", OmegaConf.create(dict.fromkeys(("loss", "metrics", "module"), _ANY_KEYS))
)
