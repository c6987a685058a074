"""Where Hydra finds the Optuna sweeper and its options; light, because every Hydra program imports it at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction

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

    def sweep(self, arguments: list[str]) -> None:
        """Run the study to the end of its budget."""
        assert self._sweep is not None
        self._sweep.run()


# What each option means: fer_lightning/sweeps/options.py and docs/sweeper.md.
SWEEPER: dict[str, Any] = {
    # Optional, so that the sweeper can say which option a wrong one is nearest to.
    "defaults": [
        {"optional sampler": "tpe"},
        {"optional pruner": "none"},
        {"/hydra/study": "default"},
        "_self_",
    ],
    "_target_": f"{__name__}.FerOptunaSweeper",
    "_recursive_": False,
    "study_name": "auto",
    "label": "sweep",
    "storage": None,
    "n_trials": None,
    "begin_with_default": True,
    "first": None,
    "begin_from": None,
    "budget": {"minutes": None, "epochs": None},
    "patience": None,
    "confirm": None,
    "confirm_seeds": 5,
    "constraints": None,
    "keep_checkpoints": "all",
    "promote": False,
    "objective": None,
    "direction": None,
    "unit": None,
    "seed": 0,
    "search_space": None,
    "params": DictConfig({}, flags={"struct": False}),  # hydra.sweeper.params.x=… adds a key
    "custom_search_space": None,
    "plan": None,
    "seeds": None,
    "seed_key": "seed",
    "folds": None,
    "fold_key": "data.fold",
    "workers": None,
    "n_jobs": 1,
    "max_failures": None,
    "max_failure_rate": None,
    "retry_failed": False,
    "heartbeat": 30,
    "grace": 120,
    "max_deaths": 5,
    "changed_code": None,
}
# A null is Optuna's own value; the seed is then `hydra.sweeper.seed`.
SAMPLERS: dict[str, dict[str, Any]] = {
    # The running trials of peers count as bad ones, so that peers spread out.
    "tpe": {
        "_target_": "optuna.samplers.TPESampler",
        "n_startup_trials": 10,
        "n_ei_candidates": None,
        "multivariate": True,
        "group": True,
        "constant_liar": True,
    },
    "random": {"_target_": "optuna.samplers.RandomSampler"},
    # Every combination of a space without conditions, in random order.
    "grid": {"_target_": "optuna.samplers.GridSampler"},
    # Every point of a finite space, conditions included, in random order.
    "brute_force": {"_target_": "optuna.samplers.BruteForceSampler"},
    # Gaussian processes: for few, costly trials.
    "gp": {
        "_target_": "optuna.samplers.GPSampler",
        "n_startup_trials": 10,
        "warn_independent_sampling": False,
        "deterministic_objective": None,
    },
    # Continuous and whole-number ranges; choices are drawn at random beside them. Needs the package cmaes.
    "cma_es": {
        "_target_": "optuna.samplers.CmaEsSampler",
        "warn_independent_sampling": False,
        "x0": None,
        "sigma0": None,
        "n_startup_trials": None,
        "consider_pruned_trials": None,
        "use_separable_cma": None,
    },
    "nsgaii": {
        "_target_": "optuna.samplers.NSGAIISampler",
        "population_size": None,
        "mutation_prob": None,
        "crossover_prob": None,
        "swapping_prob": None,
    },
    "qmc": {
        "_target_": "optuna.samplers.QMCSampler",
        "qmc_type": None,
        "scramble": None,
        "warn_independent_sampling": False,
        "warn_asynchronous_seeding": False,
    },
}
# The names of hydra-optuna-sweeper; Optuna 4 has removed its `motpe`, which the sweeper says.
SAMPLERS |= {"cmaes": SAMPLERS["cma_es"], "motpe": {"_target_": "optuna.samplers.MOTPESampler"}}
PRUNERS: dict[str, dict[str, Any]] = {
    "none": {},
    # Worse at a step than the median of the earlier trials there.
    "median": {
        "_target_": "optuna.pruners.MedianPruner",
        "n_startup_trials": 5,
        "n_warmup_steps": 2,
        "n_min_trials": 3,
    },
    # Brackets of successive halving; max_resource is the number of steps.
    "hyperband": {
        "_target_": "optuna.pruners.HyperbandPruner",
        "min_resource": 1,
        "max_resource": "${oc.select:trainer.max_epochs,30}",
        "reduction_factor": 3,
    },
    # Asynchronous: after 2, 4, 10, 28, … steps the best third of those that came so far goes on.
    "successive_halving": {
        "_target_": "optuna.pruners.SuccessiveHalvingPruner",
        "min_resource": 1,
        "reduction_factor": 3,
        "min_early_stopping_rate": 0,
    },
}
# A study's folder, and the variables that a job reads, which are filled in for each.
STUDY = {
    "hydra": {
        "job": {"env_set": {"FER_TRIAL": "", "FER_THREADS": ""}},
        "sweep": {"dir": "studies/${hydra.sweeper.study_name}", "subdir": "auto"},
    }
}
# Prints a study's table when it has ended, and writes its files.
REPORT = {"study_report": {"_target_": "fer_lightning.study.study_report.StudyReport"}}


def _store(group: str, name: str, node: dict[str, Any] | DictConfig, package: str | None = None) -> None:
    ConfigStore.instance().store(
        name=name, node=node, group=f"hydra/{group}", package=package, provider="fer_lightning"
    )


# Any key is taken, so that the sweeper can say which one a wrong one is nearest to.
_store("sweeper", "fer_optuna", DictConfig(SWEEPER, flags={"struct": False}))
for _name, _sampler in SAMPLERS.items():
    _store("sweeper/sampler", _name, {**_sampler, "seed": None})
for _name, _pruner in PRUNERS.items():
    _store("sweeper/pruner", _name, _pruner)
_store("study", "default", STUDY, package="_global_")
_store("callbacks", "study_report", REPORT)
