"""``python -m fer_lightning explain checkpoint=… output=DIR``: what a network looks at, as files and one page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from fer_lightning.commands.arguments import parse_arguments
from fer_lightning.config.values import Count, CountOrZero, Name, check_keys, hints_of
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Split
from fer_lightning.data.pictures import Pictures, read_pictures
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.explain.layers import find_layer
from fer_lightning.explain.lime import Lime
from fer_lightning.explain.page.options import Options, RegionFaces
from fer_lightning.explain.page.page import write_page
from fer_lightning.explain.page.parts import chosen_parts, make_parts
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency import METHODS, make_method
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.trust import TrustRules
from fer_lightning.redact import redact_text
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.module import ExpressionClassifier

EXAMPLE = "checkpoint=runs/one/checkpoints/best.ckpt output=explained"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Name | None = None
    output: Name | None = None
    only: Annotated[Any, Field(description="a part of the page, or several as only=[a,b]")] = None
    layer: Annotated[Any, Field(description="a layer, or several as layer=[a,b]")] = None
    image: Annotated[Any, Field(description="a picture, folder or pattern, or several as image=[a,b]")] = None
    ids: Annotated[Any, Field(description="ids of faces, as ids=[a,b]")] = None
    method: Annotated[Any, Field(description="a saliency method, or several as method=[a,b]")] = None
    split: Split = "val"
    compare: Name | None = None
    trust: bool = True
    faces: Count = 49
    region_faces: RegionFaces = 210
    filters: Count = 128
    seed: CountOrZero = 0
    threads: Count | None = None


# What further keys set, by their beginning; the files of conf/ with these names say what each of them means.
SALIENCY: dict[str, Any] = {f"saliency.{name}.": target for name, target in METHODS.items()}
SETTINGS: dict[str, Any] = {"trust.": TrustRules, "lime.": Lime, "regions.": RegionOcclusion} | SALIENCY


def main(arguments: list[str]) -> int:
    """Write every part that applies into ``output``, and a page that holds them all."""
    values, overrides = parse_arguments(arguments, Keys, prefixes=["data.", "saliency.", *SETTINGS])
    if not values["checkpoint"] or not values["output"]:
        raise ConfigError(
            "explain checkpoint=… output=DIR: expected one checkpoint and a folder for the page"
        )
    names = chosen_parts(values["only"])
    settings = {key: overrides.pop(key) for key in list(overrides) if not key.startswith("data.")}
    for key in settings:
        if not key.startswith(tuple(SETTINGS)):
            raise ConfigError(
                f"{key}: expected saliency.METHOD.SETTING; the methods are {', '.join(METHODS)}"
            )
    options = _options(values, settings)
    if values["threads"]:
        torch.set_num_threads(values["threads"])
    subject = _subject(values, overrides)
    for layer in options.layers:
        find_layer(subject.module, layer)
    subject.rows_of(options.ids)
    started, folder = time.perf_counter(), Path(values["output"])
    sections: list[Section] = []
    page = folder / "explanations.html"
    for section in make_parts(subject, options, folder, names, _say):
        sections.append(section)
        # After each part, so that there is a page whenever it is stopped.
        page = write_page(subject, values["checkpoint"], sections, folder)
    _say(
        f"{page}: {sum(len(each.pictures) for each in sections)} figures, {time.perf_counter() - started:.0f} s"
    )
    return 0


def _say(text: str) -> None:
    print(redact_text(text), flush=True)


def as_list(value: Any) -> list[str]:
    """Return one word or a list of words as a list."""
    return (
        []
        if value is None
        else [str(value)]
        if not isinstance(value, list)
        else [str(each) for each in value]
    )


def _options(values: dict[str, Any], settings: dict[str, Any]) -> Options:
    methods = as_list(values["method"])
    for method in methods:
        make_method(method)
    seed = values["seed"]
    return Options(
        layers=as_list(values["layer"]),
        methods=methods,
        ids=as_list(values["ids"]),
        saliency={
            prefix.split(".")[1]: made(prefix, settings)
            for prefix in SALIENCY
            if any(key.startswith(prefix) for key in settings)
        },
        rules=made("trust.", settings, seed=seed, faces=values["faces"]),
        lime=made("lime.", settings, seed=seed),
        regions=made("regions.", settings, seed=seed),
        **{key: values[key] for key in ("trust", "region_faces", "filters", "seed")},
    )


def made(prefix: str, settings: dict[str, Any], **more: Any) -> Any:
    """Return what ``prefix`` stands for, with the settings that begin with it.

    Raises
    ------
    ConfigError
        There is no such setting, or its value is out of range.
    """
    target = SETTINGS[prefix]
    own = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    check_keys(own, hints_of(target.__init__), prefix)
    return target(**more | own)


def _subject(values: dict[str, Any], overrides: dict[str, Any]) -> Subject:
    module = load(values["checkpoint"])
    own = _own(values["image"], int(module.record["image_size"]))
    compared = load(values["compare"]) if values["compare"] else None
    return Subject(module, _data(module, overrides, values, own), values["split"], own, compared)


def load(checkpoint: str) -> ExpressionClassifier:
    """Load a classifier onto the device that there is, in the memory format that it was trained in."""
    module = load_classifier(checkpoint)
    if module.record["config"].get("channels_last"):
        module.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.to("cuda" if torch.cuda.is_available() else "cpu")


def _own(words: Any, size: int) -> Pictures | None:
    if words is None:
        return None
    pictures = read_pictures(as_list(words), size)
    if not pictures.paths:
        raise DataError(f"image={words}: no picture could be read ({'; '.join(pictures.problems)})")
    return pictures


def _data(
    module: ExpressionClassifier, overrides: dict[str, Any], values: dict[str, Any], own: Pictures | None
) -> FaceDataModule | None:
    """Return the model's data; with own pictures it may be that they are not there."""
    try:
        data = data_of(module, overrides)
        known, there = module.class_names, data.faces.class_names
        if known != there:
            raise DataError(f"the model knows {', '.join(known)}; the data {', '.join(there)}")
        if len(data.faces.indices(values["split"])) == 0:
            raise DataError(f"{data.faces.name} has no {values['split']} faces")
    except UserError as error:
        if own is None:
            raise
        _say(f"without the data that the model was trained on ({error})")
        return None
    return data
