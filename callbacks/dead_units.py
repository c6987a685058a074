"""Units that never activate over a validation: a curve of every epoch, and a warning where a network is stuck."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

from fer_lightning.callbacks.epoch_subject import folder_of, pictures_of
from fer_lightning.config.values import Share, checked
from fer_lightning.data.label import data_label
from fer_lightning.errors import ConfigError
from fer_lightning.explain.unit_watch import ALERT, UnitWatch, dead_alert, dead_share
from fer_lightning.messages import one_line, say_once
from fer_lightning.plots.style import save_figure
from fer_lightning.tracking.logger import log_media

log = logging.getLogger(__name__)


class DeadUnits(pl.Callback):
    """Logs the share of dead units of each activation layer, and warns once when it is high.

    It watches the validation that runs anyway, so it costs next to nothing; a run without validation faces has no
    such curve. ``dead_units/<layer>`` is a share in [0, 1], and so is ``dead_units/all``, over all layers together.

    Parameters
    ----------
    threshold
        Share of dead, or of constant, units of a layer above which the warning is given.
    draw
        Draw the curves when training ends: ``dead_units.png`` in the folder that `InspectionCallback` takes, and to
        loggers. It takes a quarter of a second.
    """

    @checked("callbacks.dead_units.")
    def __init__(self, threshold: Share = ALERT, draw: bool = False) -> None:
        self.threshold, self.draw = threshold, draw
        self.history: list[dict[str, float]] = []
        self.watch: SafeWatch | None = None
        self.warned = self.failed = False
        self.folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the folder from the trainer."""
        self.folder = folder_of(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return whether the warning was given, so that a resumed run does not repeat it, and the curves."""
        return {"warned": self.warned, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over whether the warning was given, and the curves."""
        self.warned, self.history = bool(state_dict["warned"]), list(state_dict.get("history", []))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to watch."""
        self._end()
        if trainer.is_global_zero and not trainer.sanity_checking and not self.failed:
            try:
                network = getattr(pl_module, "model", None)
                self.watch = SafeWatch(network if isinstance(network, nn.Module) else pl_module)
                self.watch.__enter__()
            except Exception as error:
                self._give_up(error)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks away."""
        self._end()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Take the hooks away."""
        self._end()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch's shares and warn once of a layer above the threshold."""
        watch, self.watch = self.watch, None
        if watch is None:
            return
        try:
            if watch.error is not None:
                raise watch.error
            layers = watch.layers()
            shares = {f"dead_units/{_short(layer.layer)}": layer.dead for layer in layers}
            pl_module.log_dict(shares | {"dead_units/all": dead_share(layers)}, rank_zero_only=True)
            self.history.append({layer.layer: layer.dead for layer in layers})
            alert = dead_alert(layers, self.threshold)
            if alert and not self.warned:
                self.warned = True
                log.warning("epoch %d: %s", trainer.current_epoch + 1, alert)
        except Exception as error:
            self._give_up(error)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves, where they are asked for."""
        if not self.draw or not self.history or not trainer.is_global_zero:
            return
        try:
            from fer_lightning.plots.dead_units import plot_dead_history  # here: most runs draw nothing

            curves = {name: [epoch[name] for epoch in self.history] for name in self.history[0]}
            pictures = pictures_of(trainer, pl_module)
            title = f"Units that never activate: {data_label(pictures.name, pictures.synthetic)}"
            first = trainer.current_epoch - len(self.history) + 1
            ax = plot_dead_history(curves, first_epoch=first, title=title)
            path = save_figure(ax, self.folder / "dead_units.png")
            log_media(trainer.loggers, {"dead_units/curves": path})
        except Exception as error:
            self._give_up(error)

    def _end(self) -> None:
        if self.watch is not None:
            self.watch.__exit__(None, None, None)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, ConfigError):
            say_once(f"dead units are not counted: {error}")
        elif not self.failed:
            log.warning("DeadUnits failed; training goes on without it (%s)", one_line(error))
        self.failed, self.watch = True, None


class SafeWatch(UnitWatch):
    """A watch whose hooks never raise into the validation; the first error is kept.

    What passes in training mode is no validation: training faces on which averaged weights have their norms measured.
    """

    error: Exception | None = None

    def hook_for(self, name: str):  # type: ignore[no-untyped-def]
        """Return the hook, which keeps an error instead of raising it."""
        keep = super().hook_for(name)

        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            if self.error is None and not module.training:
                try:
                    keep(module, inputs, output)
                except Exception as error:
                    self.error = error

        return hook


def _short(layer: str) -> str:
    """A layer's name as a metric's: its block, without the half of the network that it lies in."""
    return layer.removeprefix("features.").removeprefix("classifier.").removesuffix(".activation")
