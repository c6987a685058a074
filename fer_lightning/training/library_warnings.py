"""Keep libraries' notes to their developers away from a user."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Silence what libraries say to their developers; what concerns a user is said in our own words."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in (
        ".*does not have many workers.*",
        ".*The '.*_dataloader' does not have many workers.*",
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*Found .* module.*in eval mode at the start of training.*",
        ".*GPU available but not used.*",
        ".*Trying to infer the `batch_size`.*",
        ".*does not have a deterministic implementation.*",
        ".*Total length of `list` across ranks is zero.*",
        ".*It is recommended to use `self.log.*sync_dist=True.*",
        ".*distributed.nn.functional.all_gather is deprecated.*",
        ".*AMP with fp16 is not supported on CPU.*",
        ".*You requested to overfit but enabled.*",
        ".*lr_scheduler.step.*before.*optimizer.step.*",
    ):
        warnings.filterwarnings("ignore", pattern)
