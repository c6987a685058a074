"""Hydra's `instantiate` for the classes that a configuration names, under hydra-core 1.3 and 1.4."""

from __future__ import annotations

import re
import warnings
from typing import Any

import hydra.utils

# Hydra 1.4 asks a program for a list of what its configurations may call, in each job once more. Here the configuration
# is the user's own and names what it likes; what Hydra lets no configuration call, it still refuses. The last pattern
# is of the Ray launcher, which Hydra imports at every start.
warnings.filterwarnings(
    "ignore",
    r"hydra\.utils\.instantiate\(\) resolved|Hydra configured Python logging|register_new_resolver\(\) is",
)


def instantiate(node: Any, **options: Any) -> Any:
    """Build a node as ``hydra.utils.instantiate`` does.

    Optuna's own samplers and pruners are allowed in a program that has such a list, too: it need not know of them.
    """
    roots = set(re.findall(r"'_target_': '(\w+)", str(node)))
    if roots == {"optuna"} and hasattr(hydra.utils, "execution_whitelist"):
        options["_execution_whitelist_"] = ["optuna.*", "optuna_integration.*"]
    return hydra.utils.instantiate(node, **options)
