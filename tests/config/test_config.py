from __future__ import annotations

from pathlib import Path

import pytest

import fer_lightning.conf
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.training.build import check_parts

CONF = Path(fer_lightning.conf.__file__).parent
GROUPS = (
    "data",
    "normalization",
    "augmentation",
    "model",
    "optimizer",
    "scheduler",
    "trainer",
    "callbacks",
    "logger",
)
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
OPTIONS = [(group, option) for group, option in OPTIONS if option != "timm"]  # tests/models/test_timm.py
# Crops need a net for images of any size, and a part of one's own a name.
NEEDS = {
    "augmentation=crop": ["model=fast"],
    "model=custom": ["model._target_=fer_lightning.models.Small"],
    "augmentation=custom": ["augmentation._target_=torch.nn.Identity"],
}


def checked(*overrides: str) -> None:
    config = compose_config(overrides)
    check_config(config)
    check_parts(config)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_is_valid(group, option):
    value = f"[default,{option}]" if group == "callbacks" and option != "default" else option
    checked(f"{group}={value}", *NEEDS.get(f"{group}={option}", []))


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_says_first_what_it_is_for(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    first = lines[1] if lines[0].startswith("# @package") else lines[0]
    assert first.startswith("# ")
    assert len(first) > 15


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.drpout=0.5", "model.drpout: no such key; did you mean model.dropout?"),
        ("+model.drpout=0.5", "model.drpout: no such key; did you mean model.dropout?"),
        ("+sead=1", "sead: no such key; did you mean seed?"),
        ("model=cn", "model=cn: no such option; did you mean cnn?"),
        ("lr=0.1", "lr: no such key; did you mean optimizer.lr?"),
        (
            "foo/bar=1",
            "foo/bar: no such key; expected one of augmentation, callbacks, changed_code, channels_last, data",
        ),
        ("+model=cnn", "+model: the configuration has model already; expected model=… without +"),
        ("hydra/launcher=x", "no such option; expected one of basic, joblib, ray"),
        ("optimizer.lr=fast", "optimizer.lr=fast: expected a number"),
        ("trainer.max_epochs=abc", "trainer.max_epochs=abc: expected a whole number"),
        ("trainer.max_epochs=1.5", "trainer.max_epochs=1.5: expected a whole number"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0: expected a whole number of at least 1"),
        (
            "trainer.precision=bf16-true",
            "trainer.precision=bf16-true: expected one of 32-true, bf16-mixed, 16-mixed",
        ),
        ("data.train_on=test", "data.train_on=test: expected one of train, train_val"),
        ("data.exclude=[leak]", "data.exclude=['leak']: expected a list of any of leaked, "),
        ("data.fraction=0", "data.fraction=0: expected a number above 0 and at most 1"),
        ("data.batch_size=0", "data.batch_size=0: expected a whole number of at least 1"),
        ("loss.label_smoothing=1", "loss.label_smoothing=1: expected a number of at least 0 and below 1"),
        ("loss.mixup=-0.1", "loss.mixup=-0.1: expected a number of at least 0"),
        ("loss.teacher_share=1.5", "loss.teacher_share=1.5: expected a number from 0 to 1"),
        (
            "loss.teacher=none.npz",
            "loss.teacher=none.npz: no such file; expected what evaluate split=train output=DIR writes",
        ),
        ("+loss.smoothing=1", "loss.smoothing: no such key; did you mean loss.label_smoothing?"),
        (
            "loss.class_weights=equal",
            "loss.class_weights=equal: expected one of none, balanced, or a list of numbers",
        ),
        ("seeds=[]", "seeds=[]: expected a non-empty list of whole numbers"),
        ("seeds=[1,1]", "seeds=[1, 1]"),
        ("seed=a", "seed=a: expected a whole number"),
        (
            "search_space=null",
            "search_space=null: search_space is a group; expected the name of an option, or ~search",
        ),
        ("mode=best", "mode=best: expected one of max, min"),
        ("changed_code=yes", "changed_code=yes: expected one of refuse, accept"),
        ("threads=0", "threads=0: expected a whole number from 1 to 1024, or null"),
        ("threads=100000", "threads=100000: expected a whole number from 1 to 1024, or null"),
        ("study.workers=100000", "study.workers=100000: expected a whole number from 1 to 1024"),
        (
            "trainer.devices=100000",
            "trainer.devices=100000: expected a number of devices up to 1024, a list of",
        ),
        ("model.activation=relo", "(did you mean relu?)"),
        ("model.norm=batches", "model.norm=batches"),
        ("scheduler.warmup=2", "scheduler.warmup=2: expected a number above 0 and below 1"),
        ("optimizer.lr=-1", "optimizer.lr=-1: Invalid learning rate: -1"),
        ("optimizer.betas=[2,0.9]", "optimizer.betas=[2, 0.9]: Invalid beta parameter at index 0: 2"),
        ("augmentation.rotation=500", "augmentation.rotation=500: expected a number from 0 to 180"),
        ("callbacks.best.moniter=x", "callbacks.best.moniter: no such key; did you mean"),
        (
            "hydra.sweeper.n_trials=3",
            "hydra.sweeper.n_trials: no option of an ordinary run or multirun; expected an experiment that is a study",
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(override, message):
    with pytest.raises(ConfigError) as caught:
        checked(override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_in_a_file_is_found_like_one_on_the_command_line():
    config = compose_config([])
    config.trainer._set_flag("struct", False)
    config.trainer.max_epoch = 3
    with pytest.raises(
        ConfigError, match=r"trainer\.max_epoch: no such key; did you mean trainer\.max_epochs\?"
    ):
        check_config(config)


def test_early_stopping_needs_faces_to_validate_on():
    with pytest.raises(ConfigError, match=r"callbacks\.early_stopping with data\.train_on=train_val"):
        checked("data.train_on=train_val", "callbacks=[default,early_stopping]")


def test_a_known_number_of_classes_must_be_that_of_the_data(tiny):
    from fer_lightning.training.build import build_data, build_module

    config = compose_config([*tiny, "model.num_classes=5"])
    with pytest.raises(ConfigError, match=r"model\.num_classes=5: the data have 7"):
        build_module(config, build_data(config), {})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("callbacks.saliency.method=gradcam", "no such saliency method; did you mean grad_cam?"),
        (
            "callbacks.confusion.when=sometimes",
            "when=sometimes: expected one of best, end, or every how many epochs",
        ),
        ("callbacks.dead_units.threshold=2.0", "threshold=2.0: expected a number from 0 to 1"),
    ],
)
def test_an_impossible_callback_is_met_before_any_work(word, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        check_parts(compose_config([word]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["augmentation=crop", "model=cnn"],
            r"augmentation\.crop=40: CNN takes images of 48 pixels only; expected a net .* model=fast",
        ),
        (
            ["+augmentation.growth=[[0.5,24]]", "model=small"],
            r"augmentation\.growth=\[\[0\.5, 24\]\]: Small takes images of 48 pixels only",
        ),
        (
            ["augmentation=crop", "model=fast", "data.image_size=32"],
            r"augmentation\.crop=40: expected at most the faces' 32 pixels",
        ),
    ],
)
def test_images_that_the_net_does_not_take_are_met_before_any_work(words, message):
    with pytest.raises(ConfigError, match=message):
        checked(*words)


def test_callbacks_are_added_to_the_default_ones_in_any_order():
    default = dict(compose_config([]).callbacks)
    alone = compose_config(["callbacks=early_stopping"])
    assert dict(alone.callbacks) == default | {"early_stopping": alone.callbacks.early_stopping}
    several = compose_config(["callbacks=[explain,ema]"])
    assert several.callbacks.saliency.method == "smoothgrad"
    assert {"best", "last", "ema", "mistakes"} <= several.callbacks.keys()
    assert several == compose_config(["callbacks=[default,explain,ema]"])
    assert "saliency" not in compose_config(["~callbacks.saliency"]).callbacks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"# @package _global_\noptimizer:\n\tlr: 0.1",
            "mine.yaml, line 3: is no YAML: found character '\\t' that",
        ),
        (b"# @package _global_\nseed: 1\nseed: 2", "mine.yaml, line 3: is no YAML: found duplicate key seed"),
        (
            b"# @package _global_\nnote: f\xfcr\n",
            "mine.yaml, line 2: is not UTF-8; expected a file that is saved as",
        ),
        (b"# @package _global_\n" + 2000 * b"# -\n" + b"note: f\xfcr", "mine.yaml, line 2002: is not UTF-8;"),
        (b"seed: 3", "experiment: its file lacks the first line # @package _global_,"),
    ],
)
def test_a_file_of_ones_own_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, text: bytes, message: str
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        check_config(compose_config([f"hydra.searchpath=[file://{tmp_path}]", "+experiment=mine"]))
    assert str(caught.value).removeprefix(f"{tmp_path}/experiment/").startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["+experiment=ablation", "ablation.factors={opt:{key:optimizer,baseline:adam,levels:[sgd]}}"],
            "ablation.factors.opt: no such key; expected +ablation.factors.opt=… to add it, or one of "
            "ablation.factors.dropout, ",
        ),
        (
            ["+experiment=ablation", "ablation.factors.opt={key:optimizer,baseline:adam,levels:[sgd]}"],
            "ablation.factors.opt: no such key; expected +ablation.factors.opt=… to add it, or one of ",
        ),
        (
            ["callbacks.saliency.options={n:10}"],
            "callbacks.saliency.options.n: no such key; expected +callbacks.saliency.options.n=… to add it",
        ),
        (
            ["data.drawing={n_trian:10}"],
            "data.drawing.n_trian: no such key; expected +data.drawing.n_trian=… to",
        ),
        (
            ["data.drawing.n_trian=10"],
            "data.drawing.n_trian: no such key; did you mean data.drawing.n_train?",
        ),
    ],
)
def test_a_mapping_with_a_new_key_names_that_key_and_what_adds_it(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_config(words)
    assert str(caught.value).startswith(message)


def test_what_adds_a_key_does() -> None:
    factor = "{key:optimizer,baseline:adam,levels:[sgd]}"
    for word in (f"+ablation.factors.opt={factor}", f"+ablation.factors={{opt:{factor}}}"):
        config = compose_config(["+experiment=ablation", word])
        assert config.ablation.factors.opt.key == "optimizer"
        assert len(config.ablation.factors) == 5
