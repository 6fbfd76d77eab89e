"""What a study looks like: its figures, and the report that holds them all."""

from dashboards.report import figures, report

__all__ = ["figures", "report"]
