"""The precisions that a run can be trained in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

# Weights are of single precision, only what is computed may be of half.
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
# As PyTorch names what a processor of kind x86_64 can do.
BFLOAT16: Final = ("avx512_bf16", "amx_bf16")


def warn_of_precision(asked: str, device: torch.device) -> None:
    """Say so where a processor trains otherwise than in the precision ``asked`` for, or more slowly for it.

    Lightning takes bf16-mixed for 16-mixed on a processor. Where that has no instructions for bfloat16, its products
    are computed in single precision and rounded: slower than 32-true.
    """
    if device.type != "cpu" or asked == "32-true":
        return
    if asked == "16-mixed":
        log.warning("trainer.precision=16-mixed needs a GPU: this processor trains in bf16-mixed")
    import torch

    # Older versions of PyTorch do not tell.
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if able.get("architecture") == "x86_64" and not any(able.get(name) for name in BFLOAT16):
        log.warning(
            "this processor has no instructions for bfloat16: trainer.precision=32-true is faster on it"
        )
