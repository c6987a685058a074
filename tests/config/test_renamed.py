from __future__ import annotations

import hashlib
import json

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from fer_lightning.config.compose import compose_config
from fer_lightning.config.renamed import ADDED, MODULES, current_config, current_flat, earlier_flat
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.study.identity import fixed_part, flat_json, require_same, study_name

# Parts of what a study of an earlier version has kept as fixed.
BEFORE = {
    "scheduler._target_": "fer_lightning.optim.one_cycle",
    "callbacks.best._target_": "fer_lightning.callbacks.checkpoint.RunCheckpoint",
    "callbacks.best.folder": "${output_dir}",
    "callbacks.dead_units._target_": "fer_lightning.callbacks.dead_units.DeadUnits",
    "callbacks.dead_units.folder": "${output_dir}",
    "callbacks.mine._target_": "mine.Callback",
    "callbacks.mine.folder": "${output_dir}",
    "ablation": {"factors": {"optimizer": [{"_target_": "fer_lightning.muon.Muon"}]}},
}
NOW = {
    "scheduler._target_": "fer_lightning.training.schedules.one_cycle",
    "callbacks.best._target_": "fer_lightning.callbacks.checkpoint.RunCheckpoint",
    "callbacks.dead_units._target_": "fer_lightning.callbacks.dead_units.DeadUnits",
    "callbacks.dead_units.draw": True,
    "callbacks.mine._target_": "mine.Callback",
    "callbacks.mine.folder": "${output_dir}",
    "ablation": {"factors": {"optimizer": [{"_target_": "fer_lightning.training.muon.Muon"}]}},
}


def test_a_study_of_before_is_found_by_its_name_and_taken_up():
    assert (current_flat(BEFORE), earlier_flat(NOW)) == (NOW, BEFORE)
    digest = hashlib.sha256(json.dumps(BEFORE, sort_keys=True).encode()).hexdigest()
    assert study_name("a", "b", NOW) == f"a-b-{digest[:8]}"
    require_same("s", BEFORE, NOW)
    with pytest.raises(
        ConfigError, match=r"callbacks\.best\.folder=\"elsewhere\", this command has .*nothing"
    ):
        require_same("s", BEFORE | {"callbacks.best.folder": "elsewhere"}, NOW)


def test_names_are_those_of_before_for_everything_in_conf():
    config = compose_config(["callbacks=[default,explain]", "optimizer=muon"])
    fixed = fixed_part(OmegaConf.to_container(config, resolve=False), [])
    before = earlier_flat(fixed)
    assert current_flat(before) == fixed
    assert sum(value == "${output_dir}" for value in before.values()) == 13
    assert before["optimizer._target_"] == "fer_lightning.muon.Muon"


def test_a_kept_configuration_is_read_by_its_present_names():
    config = OmegaConf.to_container(
        compose_config(["callbacks=[default,explain]", "logger=csv"]), resolve=True
    )
    before = json.loads(json.dumps(config))
    before["output_dir"] = "."
    before["scheduler"]["_target_"] = "fer_lightning.optim.one_cycle"
    del before["callbacks"]["dead_units"]["draw"]
    for name in ("best", "last", "predictions", "confusion", "lime", "history", "dead_units", "filters"):
        before["callbacks"][name]["folder"] = "."
    assert flat_json(current_config(before)) == flat_json(config)


@pytest.mark.parametrize(
    "name",
    [
        "optim.one_cycle",
        "optim.constant",
        "muon.Muon",
        "tracking.wandb_run.WandbRun",
        "study_report.StudyReport",
        "explain.lime.Lime",
        "explain.trust.trust_rules.TrustRules",
        "explain.saliency.gradient.SmoothGrad",
        "explain.saliency.grad_cam.GradCAM",
        "explain.saliency.integrated_gradients.IntegratedGradients",
        "explain.saliency.occlusion.Occlusion",
    ],
)
def test_every_earlier_name_leads_to_what_it_was(name):
    module, _, found = f"fer_lightning.{name}".rpartition(".")
    assert callable(get_object(f"{MODULES[module]}.{found}"))


def test_a_key_that_came_later_changes_no_study_while_it_has_its_first_value():
    config = OmegaConf.to_container(compose_config(["data=image_folder"]), resolve=False)
    fixed = fixed_part(config, [])
    assert not set(ADDED) & set(fixed)
    config["data"]["eval_fraction"] = 0.5
    assert fixed_part(config, []) == fixed | {"data.eval_fraction": 0.5}
