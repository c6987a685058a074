"""The seven expressions as people and data sets spell them."""

from __future__ import annotations

import re

from fer_lightning.data.faces import FER_CLASSES

_SPELLINGS = {
    "angry": "angry anger an ang",
    "disgust": "disgust disgusted di dis",
    "fear": "fear fearful afraid scared fe fea af",
    "happy": "happy happiness joy joyful ha hap",
    "sad": "sad sadness sa",
    "surprise": "surprise surprised su sur",
    "neutral": "neutral normal ne neu",
}
_EXPRESSIONS = {word: name for name, words in _SPELLINGS.items() for word in words.split()}


def expression(name: str) -> str | None:
    """Return FER2013's name of an expression however it is spelled (``1_Anger``, ``disgusted``), if it is one."""
    return _EXPRESSIONS.get(re.sub(r"^\d+[\W_]+|[\W_]+\d*$", "", name).lower())


def fer_class(name: str) -> int | None:
    """Return FER2013's number of a class that is called by its number or by a spelling of its name."""
    known = expression(name)
    if known is None:
        return int(name) if name in map(str, range(len(FER_CLASSES))) else None
    return FER_CLASSES.index(known)
