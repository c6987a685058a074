"""The report page: a study as one HTML file that opens from disk and asks no network."""

from fer_lightning.report.page.write import write_page

__all__ = ["write_page"]
