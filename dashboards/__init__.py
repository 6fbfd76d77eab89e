"""The report of a study: its figures and tables on a single page."""

from dashboards.report import report

__all__ = ["report"]
