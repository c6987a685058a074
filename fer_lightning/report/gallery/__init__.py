"""The validation faces of the report page: what each run takes each face for, their pictures, and what is like them."""

from fer_lightning.report.gallery.gallery import Gallery
from fer_lightning.report.gallery.shown_slices import ShownSlices
from fer_lightning.report.gallery.study_gallery import (
    StudyFaces,
    predictions_gallery,
    study_faces,
    study_gallery,
)

__all__ = ["Gallery", "ShownSlices", "StudyFaces", "predictions_gallery", "study_faces", "study_gallery"]
