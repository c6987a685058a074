"""Where Hydra finds the Optuna sweeper; light, because every Hydra program imports it at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from fer_lightning.sweeps.sweeper import StudySweep


class FerOptunaSweeper(Sweeper):
    """Runs an Optuna study of a search space or an ablation plan; its options are `hydra.sweeper.*`."""

    def __init__(self, **options: Any) -> None:
        # The options are read in `setup`, where the whole configuration is at hand.
        self._sweep: StudySweep | None = None

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Read and check the configuration, and name the study."""
        from fer_lightning.sweeps.sweeper import StudySweep

        self._sweep = StudySweep(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the study to the end of its budget; return its name."""
        assert self._sweep is not None
        return self._sweep.run()
