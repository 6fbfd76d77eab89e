"""The study in a real `optuna-dashboard`: the pages show objectives by name, a trial a trial, bounds as constraints."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks.browser import CHROMIUM, browser
from search.sampling.optuna_view import models_study, write_view
from search.study.seeds import front_of
from tests.search.mirrored import free_port, study, trial

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
TRACES = (
    "[...document.querySelectorAll('.js-plotly-plot')]"
    ".flatMap(plot => plot.data.map(trace => [trace.name, (trace.x || []).length]))"
)
"""Name and number of points of each trace of all figures."""
SAID = "document.body && document.body.innerText.includes('WORD')"


@contextmanager
def dashboard(journal: Path) -> Iterator[str]:
    """The address of a dashboard on a journal, ended with the context."""
    port = free_port()
    program = Path(sys.executable).with_name("optuna-dashboard")
    words = [str(program), "--port", str(port), str(journal)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as served:
        address, deadline = f"http://127.0.0.1:{port}/dashboard", monotonic() + 60
        try:
            while True:
                try:
                    urllib.request.urlopen(address, timeout=2).close()
                    break
                except OSError:
                    assert monotonic() < deadline, "the dashboard must answer within a minute"
                    sleep(0.2)
            yield address
        finally:
            served.terminate()


def test_a_study_opens_with_named_objectives_its_trials_and_its_front(tmp_path: Path) -> None:
    whole = study(*(replace(trial(n, points=4), choices={"lr": 0.1 * (n + 1)}) for n in range(5)))
    whole = replace(whole, header={"budget": {"max_params": {"value": 1002.0, "is_share": False}}})
    journal = tmp_path / "optuna-view.journal"
    write_view(whole, journal)
    best = len(front_of(whole.points, whole.objectives))
    with dashboard(journal) as address, browser() as page:
        page.resize(1280, 1500)
        page.go(address)
        page.until(SAID.replace("WORD", models_study("demo")))
        page.go(f"{address}/studies/0")
        for word in ("accuracy", "params", "Pareto Front"):
            page.until(SAID.replace("WORD", word))
        page.until(f"{TRACES}.some(([name, count]) => name == 'Infeasible Trial of demo' && count == 2)")
        page.until(f"{TRACES}.some(([name, count]) => name == 'accuracy of demo' && count == 3)")
        page.picture(tmp_path / "trials.png")
        page.go(f"{address}/studies/0/trials")
        page.until(SAID.replace("WORD", "Trial 4"))
        page.picture(tmp_path / "list.png")
        page.go(f"{address}/studies/1")
        page.until(f"{TRACES}.some(([name, count]) => count == {best})")
        page.picture(tmp_path / "models.png")
        assert page.errors == []
