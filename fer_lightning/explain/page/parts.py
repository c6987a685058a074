"""Make the parts one after the other; name what does not apply to a network, and make the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fer_lightning.errors import ConfigError, UserError, nearest
from fer_lightning.explain.page.options import Options
from fer_lightning.explain.page.section import Section
from fer_lightning.explain.subject import Subject
from fer_lightning.explain.undisturbed import undisturbed
from fer_lightning.messages import counted, standing_bar
from fer_lightning.redact import redact_text


@dataclass(frozen=True)
class Part:
    """A part of the page: its heading, and whether it needs the model's data."""

    title: str
    needs_data: bool = True


PARTS = {
    "confusion": Part("What is taken for what"),
    "saliency": Part("Where a decision comes from"),
    "own": Part("Your own pictures", needs_data=False),
    "feature_maps": Part("What the layers make of an image"),
    "filters": Part("What the filters look for", needs_data=False),
    "class_images": Part("What the network takes for each class", needs_data=False),
    "lime": Part("Which pieces of an image speak for which class"),
    "regions": Part("What is lost without eyes, mouth and other regions"),
    "dead_units": Part("Units that never activate"),
}


def chosen_parts(only: str | Sequence[str] | None) -> list[str]:
    """Return the names of the parts that ``only`` asks for, in the order of the page; by default all.

    Raises
    ------
    ConfigError
        There is no such part.
    """
    names = [only] if isinstance(only, str) else list(only or PARTS)
    for name in names:
        if name not in PARTS:
            raise ConfigError(f"only={name}: no such part; {nearest(str(name), PARTS)}")
    return [name for name in PARTS if name in names]


def make_parts(
    subject: Subject, options: Options, folder: Path, names: Sequence[str], say: Callable[[str], None]
) -> Iterator[Section]:
    """Make each part in its folder below ``folder``, and give it as soon as it is there."""
    names = [name for name in names if name != "own" or subject.own is not None]
    for number, name in enumerate(names, start=1):
        part = PARTS[name]
        section = Section(name, part.title, folder / name)
        section.folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        if part.needs_data and subject.known_pictures is None:
            section.left_out.append("needs the images that the model was trained on, and they are not there")
        else:
            try:
                with undisturbed(subject.module), standing_bar(name, number - 1, len(names)):
                    import_module(f"fer_lightning.explain.page.{name}").make(subject, options, section)
            except UserError as error:
                section.left_out.append(redact_text(str(error)))
        seconds = time.perf_counter() - started
        say(f"{number}/{len(names)} {name}: {_outcome(section)}, {seconds:.1f} s")
        yield section


def _outcome(section: Section) -> str:
    made = counted(len(section.pictures), "figure")
    if section.pictures or section.tables:
        return made
    return f"left out ({section.left_out[0]})" if section.left_out else "nothing to show"
