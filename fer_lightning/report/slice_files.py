"""The slices as files: two tables, and a figure with faces of those that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fer_lightning.data.label import data_label
from fer_lightning.data.picture_arrays import Images
from fer_lightning.plots.failing_faces import plot_failing_faces
from fer_lightning.plots.style import save_figure
from fer_lightning.report.slice_cells import SLICE_FACES_FILE, SLICES_FILE, slice_faces_csv, slices_csv
from fer_lightning.runs.files import write_text
from fer_lightning.stats.slices import FaceSlices

SLICES_PICTURE: Final = "failing_slices.png"


def write_slices(
    found: FaceSlices, folder: Path, data_name: str, synthetic: bool, images: Images | None = None
) -> dict[str, Path]:
    """Write ``failing_slices.csv``, ``slice_faces.csv`` and, with images of slices that fail, ``failing_slices.png``.

    What an earlier report left of a figure goes where there is none.

    Parameters
    ----------
    images
        Levels of the slices' faces in their order, or what is indexed like them; None draws nothing.

    Returns
    -------
    dict
        The paths by "slices", "slice_faces" and "slices_figure".
    """
    paths = {"slices": folder / SLICES_FILE, "slice_faces": folder / SLICE_FACES_FILE}
    write_text(paths["slices"], slices_csv(found, data_name, synthetic))
    write_text(paths["slice_faces"], slice_faces_csv(found))
    picture = folder / SLICES_PICTURE
    if images is None or not found.failing:
        picture.unlink(missing_ok=True)
        return paths
    title = f"Where it fails, {data_label(data_name, synthetic)}"
    return paths | {"slices_figure": save_figure(plot_failing_faces(found, images, title=title), picture)}
