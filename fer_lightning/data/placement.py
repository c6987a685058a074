"""Where pictures lie while a net is trained: on its device, or in the memory-mapped cache."""

from __future__ import annotations

import os
from typing import Literal

import torch

SHARE = 0.5
"""Of the memory that is free: what pictures may take of it, for the net needs the rest."""


def fits(count: int, device: torch.device, asked: Literal["auto"] | bool = "auto") -> bool:
    """Say whether pictures of ``count`` bytes are to lie on ``device``, or are sent to it batch by batch.

    Parameters
    ----------
    asked
        ``data.on_device``: True or False decides, ``auto`` takes at most half of the device's free memory.
    """
    return asked if isinstance(asked, bool) else count <= SHARE * free_memory(device)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on an accelerator; for the CPU all of its memory, which caches files."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
