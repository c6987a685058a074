"""`explain`: what a network looks at and whether that is true, as figures, tables and one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from fer_lightning.api.evaluated import Checkpoint, checkpoint_paths
from fer_lightning.api.settings import data_keys
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Count, CountOrZero, Processors, check_keys, checked, hints_of
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Split
from fer_lightning.data.label import data_label
from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.data.pictures import Pictures, read_pictures
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.explain.layers import find_layer
from fer_lightning.explain.lime_explanation import Lime
from fer_lightning.explain.page.options import Options, RegionFaces
from fer_lightning.explain.page.page import write_page
from fer_lightning.explain.page.parts import chosen_parts, make_parts
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency_methods import METHODS, make_method
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.trust_checks import TrustRules
from fer_lightning.report.page import write_faces_page
from fer_lightning.runs.notebook_html import lines_html, picture_html, table_html
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.contract import TrainedModule
from fer_lightning.training.module import network_of

# What further keys set, by their beginning; the files of conf/ with these names say what each of them means.
SALIENCY: dict[str, Any] = {f"saliency.{name}.": target for name, target in METHODS.items()}
SETTINGS: dict[str, Any] = {"trust.": TrustRules, "lime.": Lime, "regions.": RegionOcclusion} | SALIENCY
_Words: TypeAlias = str | Path | Sequence[str | Path] | None


@dataclass(frozen=True)
class Explanations:
    """What was found; a notebook shows its figures and tables.

    Attributes
    ----------
    page
        ``explanations.html``, which holds all of it.
    sections
        The parts in the order of the page, each with its ``key``, sentences, ``pictures`` and ``tables``, and why
        something of it was ``left_out``.
    """

    page: Path
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Path]:
        """The files of all figures."""
        return [picture.path for section in self.sections for picture in section.pictures]

    def __getitem__(self, key: str) -> Section:
        """Return a part by its name, such as ``found["saliency"]``; KeyError where it was not made."""
        return {section.key: section for section in self.sections}[key]

    def __repr__(self) -> str:
        return f"Explanations({self.page}: {', '.join(section.key for section in self.sections)})"

    def _repr_html_(self) -> str:
        parts = []
        for section in self.sections:
            parts.append(f"<h3>{section.title}</h3>" + lines_html([*section.says, *section.left_out]))
            for picture in section.pictures:
                parts.append(lines_html([picture.says, picture.verdict]) + picture_html(picture.path))
            for table in section.tables:
                parts.append(lines_html([table.says]) + table_html(table.header, table.rows))
        return "".join(parts)


@checked()
def explain(
    checkpoint: Checkpoint,
    output: str | Path,
    *,
    only: _Words = None,
    images: _Words = None,
    ids: _Words = None,
    layers: _Words = None,
    methods: _Words = None,
    split: Split = "val",
    compare: Checkpoint | None = None,
    data: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    gallery: bool | None = None,
    trust: bool = True,
    faces: Count = 49,
    region_faces: RegionFaces = 210,
    filters: Count = 128,
    own_pictures: Count = 28,
    seed: CountOrZero = 0,
    threads: Processors | None = None,
    say: Callable[[str], None] | None = None,
) -> Explanations:
    """Write every part that applies into a folder, and a page that holds them all.

    Parameters
    ----------
    checkpoint
        A file or a `Run`.
    output
        The folder.
    only
        Parts to be made, such as ``["confusion", "saliency"]``; without it all.
    images
        Own pictures: files, folders and patterns.
    ids, layers, methods
        Faces of the split, layers and saliency methods to be looked at.
    compare
        Another checkpoint, whose confusions are set beside.
    data
        Keys of the data that differ from those that the model was trained on, such as ``{"path": "faces.zip"}``.
    settings
        Of the methods, by dotted key: ``{"lime.samples": 500}``; the files of ``conf/saliency``, ``conf/lime``,
        ``conf/regions`` and ``conf/trust`` name them.
    gallery
        Whether ``faces.html``, a page of all validation faces and of what the model takes each for, is written beside.
        By default it is where no parts are chosen by ``only``; other splits than the validation split are not shown.
    trust, faces
        Whether saliency is checked, and on how many faces.
    region_faces, filters
        Faces on which regions are covered; and filters of a layer that are shown at most.
    own_pictures
        Own pictures that are explained at most; all of them get their probabilities.
    say
        Is called with a line for each part, when it is made.

    Raises
    ------
    UserError
        A checkpoint, a name or a setting is not as expected.

    Examples
    --------
    >>> found = explain("runs/one/checkpoints/best.ckpt", "explained", only="confusion")  # doctest: +SKIP
    >>> found["confusion"].tables, found.page  # doctest: +SKIP
    """
    names = chosen_parts(as_list(only) or None)
    if gallery and split != "val":
        raise ConfigError(f"gallery=true: shows the faces of split=val only; got split={split}")
    if only and "own" in names and images is None:
        raise ConfigError("only=own: needs image=…, a picture, folder or pattern of your own")
    options = _options(
        settings or {},
        layers=as_list(layers),
        methods=as_list(methods),
        ids=as_list(ids),
        faces=faces,
        **{"trust": trust, "region_faces": region_faces, "filters": filters},
        **{"own_pictures": own_pictures, "seed": seed},
    )
    if threads:
        torch.set_num_threads(threads)
    tell = say or (lambda text: None)
    path = checkpoint_paths(checkpoint)[0]
    module = load(path)
    own = _own(images, int(module.record["image_size"]), int(module.record.get("channels", 1)))
    compared = None if compare is None else load(checkpoint_paths(compare)[0])
    known = _data(module, data_keys(data), split, own, tell)
    subject = Subject(module, None if known is None else SplitPictures(known, split), own, compared)
    for layer in options.layers:
        find_layer(subject.module, layer)
    subject.rows_of(options.ids)
    folder, sections = typed_path(output), []
    page = folder / "explanations.html"
    beside = None
    if (gallery or (gallery is None and not only)) and known is not None and split == "val":
        label = data_label(known.faces.name, known.faces.synthetic)
        lines = [f"{path}, on the validation split of {label}"]
        beside = write_faces_page(subject.predictions, known, folder, lines).name
    for section in make_parts(subject, options, folder, names, tell):
        sections.append(section)
        # After each part, so that there is a page whenever it is stopped.
        page = write_page(subject, str(path), sections, folder, beside)
    if not any(section.pictures or section.tables or section.says for section in sections):
        reasons = [f"{each.key}: {'; '.join(each.left_out) or 'nothing to show'}" for each in sections]
        raise DataError(f"nothing could be made of {path}: {'; '.join(reasons)}")
    return Explanations(page, tuple(sections))


def as_list(value: _Words) -> list[str]:
    """Return one word or a list of words as a list."""
    if value is None:
        return []
    return list(map(str, value)) if isinstance(value, (list, tuple)) else [str(value)]


def _options(settings: Mapping[str, Any], *, seed: int, faces: int, **chosen: Any) -> Options:
    for key in settings:
        if not key.startswith(tuple(SETTINGS)):
            raise ConfigError(
                f"{key}: expected saliency.METHOD.SETTING; the methods are {', '.join(METHODS)}"
                if key.startswith("saliency.")
                else f"{key}: expected a key that begins with {', '.join(SETTINGS)}"
            )
    for method in chosen["methods"]:
        make_method(method)
    return Options(
        saliency={
            prefix.split(".")[1]: made(prefix, settings)
            for prefix in SALIENCY
            if any(key.startswith(prefix) for key in settings)
        },
        rules=made("trust.", settings, seed=seed, faces=faces),
        lime=made("lime.", settings, seed=seed),
        regions=made("regions.", settings, seed=seed),
        seed=seed,
        **chosen,
    )


def made(prefix: str, settings: Mapping[str, Any], **more: Any) -> Any:
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


def load(checkpoint: Path) -> TrainedModule:
    """Load a classifier onto the device that there is, in the memory format that it was trained in."""
    module = load_classifier(checkpoint)
    if module.record["config"].get("channels_last"):
        network_of(module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.to("cuda" if torch.cuda.is_available() else "cpu")


def _own(words: _Words, size: int, channels: int) -> Pictures | None:
    if words is None:
        return None
    pictures = read_pictures(as_list(words), size, channels)
    if not pictures.paths:
        raise DataError(f"image={words}: no picture could be read ({'; '.join(pictures.problems)})")
    return pictures


def _data(
    module: TrainedModule,
    overrides: dict[str, Any],
    split: str,
    own: Pictures | None,
    say: Callable[[str], None],
) -> FaceDataModule | None:
    """Return the model's data; with own pictures it may be that they are not there."""
    try:
        data = data_of(module, overrides)
        known, there = module.class_names, data.faces.class_names
        if known != there:
            raise DataError(f"the model knows {', '.join(known)}; the data {', '.join(there)}")
        if len(data.faces.indices(split)) == 0:
            raise DataError(f"{data.faces.name} has no {split} faces")
    except UserError as error:
        if own is None:
            raise
        say(f"without the data that the model was trained on ({error})")
        return None
    return data
