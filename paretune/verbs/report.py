"""A study's report, with sections on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretune.options.view import CORRUPTIONS, SEVERITY
from paretune.verbs.attention import attention as attention_maps
from paretune.verbs.files import check_place, write, writing
from paretune.verbs.study import compare, open_study
from paretune.verbs.view import robustness_of
from search.settings import home_folder
from search.study.study import Study

if TYPE_CHECKING:
    from dashboards.further import Further


def report(
    name: str,
    path: Path | None = None,
    *,
    home: Path | str | None = None,
    beside: Sequence[str] = (),
    robustness: Sequence[str] = (),
    attention: Sequence[str] = (),
    data: Path | None = None,
) -> Path:
    """Write the study's report, a single HTML file, and return its path; by default beside the ledger.

    Beside the ledger `optuna-view.journal` is written as well, the study for `optuna-dashboard` in natural units.
    Further sections: with `beside` the fronts of other studies, as of `compare`; with `robustness` and `attention`,
    points by id, what the functions of these names measure. ValueError for a path that cannot be written, or as of
    these functions.
    """
    from dashboards import report as draw
    from search.sampling.optuna_view import FILE, write_view

    record = open_study(name, home)
    target = path or Study(home_folder(home), name).folder / "report.html"
    check_place("report", target)
    further = [*_sections(name, beside, robustness, attention, home, data)]
    elsewhere = "" if home_folder(home) == home_folder() else str(home_folder(home))
    write("report", target, draw(record, *further, home=elsewhere))
    if path is None:
        view = target.with_name(FILE)
        with writing("report", view):
            write_view(record, view)
    return target


def _sections(
    name: str,
    beside: Sequence[str],
    robustness: Sequence[str],
    attention: Sequence[str],
    home: Path | str | None,
    data: Path | None,
) -> Iterator[Further]:
    from dashboards.attention import attention_section
    from dashboards.comparison import comparison_section
    from dashboards.further import Further, robustness_section

    if beside:
        yield comparison_section(compare(name, *beside, home=home))
    if robustness:
        yield robustness_section(robustness_of(name, robustness, CORRUPTIONS, SEVERITY, home=home, data=data))
    if attention:
        yield Further(attention_section(attention_maps(name, attention, home=home, data=data)))
