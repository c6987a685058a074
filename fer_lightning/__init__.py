"""Why did the model get better? Ablation studies for facial-expression recognition in one command.

`import fer_lightning as fl` has a function for each command (docs/python.md). It loads nothing but this module: what a
name stands for is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fer_lightning.api.compared import compare
    from fer_lightning.api.comparison import Comparison
    from fer_lightning.api.evaluated import evaluate
    from fer_lightning.api.explained import Explanations, explain
    from fer_lightning.api.predicted import predict
    from fer_lightning.api.reported import report
    from fer_lightning.api.studies import ablation, search
    from fer_lightning.api.study_result import Study
    from fer_lightning.api.trained import train
    from fer_lightning.errors import ConfigError, DataError, RunsFailedError, UserError
    from fer_lightning.evaluation.evaluation import Evaluation
    from fer_lightning.evaluation.picture_predictions import PicturePredictions
    from fer_lightning.runs.predictions import Predictions
    from fer_lightning.runs.run import Run

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "ConfigError",
    "DataError",
    "Evaluation",
    "Explanations",
    "PicturePredictions",
    "Predictions",
    "Run",
    "RunsFailedError",
    "Study",
    "UserError",
    "ablation",
    "compare",
    "evaluate",
    "explain",
    "predict",
    "report",
    "search",
    "train",
]

_PLACES: Final = {
    "api.compared": ["compare"],
    "api.comparison": ["Comparison"],
    "api.evaluated": ["evaluate"],
    "api.explained": ["Explanations", "explain"],
    "api.predicted": ["predict"],
    "api.reported": ["report"],
    "api.studies": ["ablation", "search"],
    "api.study_result": ["Study"],
    "api.trained": ["train"],
    "errors": ["ConfigError", "DataError", "RunsFailedError", "UserError"],
    "evaluation.evaluation": ["Evaluation"],
    "evaluation.picture_predictions": ["PicturePredictions"],
    "runs.predictions": ["Predictions"],
    "runs.run": ["Run"],
}
_PLACE_OF: Final = {name: place for place, names in _PLACES.items() for name in names}
_CALLED_ROOMS: Final = ("explain", "report")  # rooms that have the name of a function


def _find(name: str) -> Any:
    return getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)


def __getattr__(name: str) -> Any:
    """Import what a name of `__all__` stands for."""
    if name in _CALLED_ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = _find(name)
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _CalledRoom(ModuleType):
    """A room that has the name of a function: `fer_lightning.explain` holds modules, and calling it calls that."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _find(self.__name__.rpartition(".")[2])(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(_find(self.__name__.rpartition(".")[2]))


class _Package(ModuleType):
    """The package, which is told by the import system of each room that is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLED_ROOMS and isinstance(value, ModuleType):
            value.__class__ = _CalledRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
