"""The name of the data as every table, figure, page and log gives it."""

from __future__ import annotations

SYNTHETIC = "SYNTHETIC DATA"


def data_label(name: str, synthetic: bool) -> str:
    """Return the name of the data, or ``SYNTHETIC DATA (name)`` where a program drew the faces."""
    return f"{SYNTHETIC} ({name})" if synthetic else name
