"""What a person sees at a real MLflow server; the screenshots are left in the test's folder, to be looked at."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.browser import CHROMIUM, Page, browser
from dashboards import report
from search.tracking.description import FOR_TRAINING
from search.tracking.sync import Sync
from tests.search.mirrored import bare_export, found, free_port, point, server, study, trial

HARMLESS = "ResizeObserver loop completed with undelivered notifications."
"""Of MLflow's own charts."""
EVIL = "<img src=x onerror=alert(1)>"
DRAWN = "[...document.querySelectorAll('.js-plotly-plot')].map(plot => (plot.calcdata || []).map(t => t.length))"
"""Of every figure of a page the points of each of its traces."""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


def test_a_studys_pages_show_it_without_an_error(template: Path, tmp_path: Path) -> None:
    whole = study(*(replace(trial(n, points=8), choices={"order": EVIL, "pruner": f"l{n}"}) for n in range(4)))
    whole = replace(whole, task=f"folder:{EVIL}")
    with server(template, tmp_path / "server", free_port()) as uri, browser() as page:
        page.resize(1700, 1300)
        mirror = Sync(uri, "demo", draw=report)
        mirror.sync(whole)
        link = mirror.link
        mirror.register(bare_export(tmp_path / "export"), "m", point(0, 0.1), {"max_params": "20k"})
        page.go(link)
        assert page.until("document.querySelector('table td') && document.body.innerText").count(EVIL) >= 1
        assert not page.run("return document.querySelector('img[src=x]')")
        page.picture(tmp_path / "overview.png")
        to_report, to_curves = noted(page, "report.html"), noted(page, "CHART")
        page.go(to_report)
        see_report(page, len(whole.points))
        page.picture(tmp_path / "report.png")
        runs = f"{link.partition('/runs/')[0]}/runs?{FOR_TRAINING}"
        page.go(to_curves)
        page.until("document.body.innerText.includes('float/params')")
        page.until(f"{DRAWN}.some(traces => traces.filter(points => points == 8).length >= 4)")
        page.picture(tmp_path / "curves.png")
        wanted = "metrics.params < 700 and metrics.test_accuracy > 0.8 and tags.method = 'l3'"
        page.go(f"{runs}&searchFilter={quote(wanted)}&orderByKey={quote('metrics.`params`')}")
        assert len(found(uri, wanted)) == 4
        page.until(
            "document.body.innerText.includes('4 matching runs') && document.body.innerText.includes('at 70.0%')"
        )
        page.picture(tmp_path / "filtered.png")
        page.go(f"{uri}/#/models/m/versions/1")
        page.until("document.body.innerText.includes('under-20k-params')")
        page.picture(tmp_path / "version.png")
        assert [error for error in page.errors if HARMLESS not in error] == []


def noted(page: Page, part: str) -> str:
    """The link of the run's note that has this in it."""
    links = "[...document.querySelectorAll('a')].map(a => a.href)"
    return str(page.until(f"{links}.find(url => url.includes('#') && url.includes('{part}'))"))


def see_report(page: Page, points: int) -> None:
    """Its frame is a sandbox, and has a figure of so many points or more."""
    sandbox = page.until("document.querySelector('iframe') && document.querySelector('iframe').sandbox.value")
    assert sandbox == "allow-scripts"
    page.until("document.querySelector('iframe').src.startsWith('blob:')")
    frame = page.frame()
    counts = page.until(f"(drawn => drawn.some(traces => traces.length) && drawn)({DRAWN})", frame)
    assert max(sum(traces) for traces in counts) >= points
    assert not page.run("return document.querySelector('img')", frame)
