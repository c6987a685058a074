"""The report page: a study as one HTML file that opens from disk and asks no network."""

from fer_lightning.report.page.faces_page import write_faces_page
from fer_lightning.report.page.page_data import PageModel, page_model
from fer_lightning.report.page.page_gallery import page_faces, page_gallery
from fer_lightning.report.page.write import write_page

__all__ = ["PageModel", "page_faces", "page_gallery", "page_model", "write_faces_page", "write_page"]
