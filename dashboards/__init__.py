"""What a study looks like: the report, one page that holds it all."""

from dashboards.report import report

__all__ = ["report"]
