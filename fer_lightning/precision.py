"""The precisions that a run can be trained in."""

from __future__ import annotations

import logging
from typing import Any, Final

import torch

from fer_lightning.errors import ConfigError

log = logging.getLogger(__name__)

PRECISIONS: Final = ("32-true", "bf16-mixed", "16-mixed")
# As PyTorch names what a processor of kind x86_64 can do.
BFLOAT16: Final = ("avx512_bf16", "amx_bf16")


def check_precision(precision: Any) -> None:
    """Check ``trainer.precision``: weights are of single precision, only what is computed may be of half.

    Raises
    ------
    ConfigError
        It is another one.
    """
    if str(precision) not in PRECISIONS:
        raise ConfigError(f"trainer.precision={precision}: expected one of {', '.join(PRECISIONS)}")


def warn_if_emulated(precision: str, device: torch.device) -> None:
    """Say so where ``precision`` needs bfloat16 and the processor has no instructions for it.

    Products of bfloat16 numbers are then computed in single precision and rounded: slower than ``32-true``.
    """
    if device.type != "cpu" or not precision.startswith("bf16"):
        return
    able = torch.cpu.get_capabilities()
    if able.get("architecture") == "x86_64" and not any(able.get(name) for name in BFLOAT16):
        log.warning(
            "trainer.precision=%s: this processor has no instructions for bfloat16; 32-true is faster on it",
            precision,
        )
