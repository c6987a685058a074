"""Stop a training at the next batch after a signal whose exception was lost."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from fer_lightning.signals import raise_if_stopped


class SafePoints(pl.Callback):
    """Asks after each batch whether Ctrl-C or SIGTERM came; every run has it.

    The signal's handler raises at once. Python drops that exception if a weakref callback or ``__del__`` runs at that
    moment, and a library may swallow it.
    """

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Raise the signal that came."""
        raise_if_stopped()

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Raise the signal that came."""
        raise_if_stopped()
