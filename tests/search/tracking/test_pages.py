"""What a person sees at a real MLflow server; the screenshots are left in the test's folder, to be looked at."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.browser import CHROMIUM, Page, browser
from dashboards import report
from search.study.seeds import front_of
from search.tracking.description import FOR_TRAINING
from search.tracking.picture import WIDTH
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
    header = {"task": f"folder:{EVIL}", "objectives": ["accuracy", "params"], "fingerprint": "ab" * 32}
    whole = replace(whole, task=f"folder:{EVIL}", header=header)
    with server(template, tmp_path / "server", free_port()) as uri, browser() as page:
        page.resize(1700, 1300)
        mirror = Sync(uri, "demo", draw=report)
        mirror.sync(whole)
        link = mirror.link
        mirror.register(bare_export(tmp_path / "export"), "m", point(0, 0.1), {"max_params": "20k"})
        for width, height in ((1280, 900), (1920, 1080), (1700, 1300)):
            page.resize(width, height)
            page.go(link)
            see_overview(page, EVIL)
            page.picture(tmp_path / f"overview-{width}.png")
        page.go(link.partition("?")[0])  # MLflow's pages for language models must take the run for a training as well
        assert "Evaluations" not in see_overview(page, EVIL)
        page.go(link)
        see_overview(page, EVIL)
        to_report, to_curves, to_chart = (noted(page, part) for part in ("report.html", "Filter=", "viewStateShareKey"))
        page.go(to_report)
        see_report(page, len(whole.points))
        page.picture(tmp_path / "report.png")
        runs = f"{link.partition('/runs/')[0]}/runs?{FOR_TRAINING}"
        page.go(to_curves)
        page.until("document.body.innerText.includes('float/params')")
        page.until(f"{DRAWN}.some(traces => traces.filter(points => points == 8).length >= 4)")
        page.picture(tmp_path / "curves.png")
        page.go(to_chart)
        page.until("document.body.innerText.includes('log10_params vs. test_accuracy')")
        best = len(front_of(whole.points, whole.objectives))
        page.until(f"{DRAWN}.some(traces => traces.reduce((sum, points) => sum + points, 0) == {best})")
        page.picture(tmp_path / "chart.png")
        page.go(f"{link.partition('/runs/')[0]}/models?{FOR_TRAINING}")
        page.until(f"document.body.innerText.split('demo trial').length - 1 == {best}")
        page.picture(tmp_path / "models.png")
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


def see_overview(page: Page, task: str) -> str:
    """Its text, once the picture of the front is seen whole, without a click, above the cut of the note."""
    image = "[...document.querySelectorAll('img')].find(one => one.src.includes('get-artifact'))"
    page.until(f"(one => one && one.complete && one.naturalWidth == {WIDTH})({image})")
    text = str(page.until("document.body.innerText.includes('objectives') && document.body.innerText"))
    assert text.count(task) >= 1
    assert "Show more" not in text
    assert "None" not in text.partition("Datasets")[2].partition("Tags")[0]
    assert not page.run("return document.querySelector('img[src=x]')")
    return text


def noted(page: Page, part: str) -> str:
    """The link of the run's note with `part` in its address."""
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
