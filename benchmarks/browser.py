"""Headless Chromium: a page's DOM after its scripts, what its console said, its picture, its print."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)
_SAID = re.compile(r'CONSOLE[^"]*"(.*)", source: ', re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """A page after its scripts have run: its DOM as HTML, and the lines of its console."""

    dom: str
    console: tuple[str, ...]


def look(
    page: Path, *wanted: str, size: tuple[int, int] = (1200, 900), dark: bool = False, wait_ms: int = 8000
) -> Seen:
    """Open a page in a window of `size` pixels; `wanted` are further flags, such as `--screenshot=FILE`.

    `wait_ms` is of the page's own clock, which runs as fast as the machine can.
    """
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [*_FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={wait_ms}"]
        flags += [f"--window-size={size[0]},{size[1]}", f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        done = subprocess.run(
            [CHROMIUM, *flags, *(wanted or ("--dump-dom",)), page.resolve().as_uri()],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    lines = (match[1] for line in done.stderr.splitlines() if (match := _SAID.search(line)))
    return Seen(done.stdout, tuple(lines))


@dataclass(frozen=True)
class Times:
    """Medians over `times` fresh browsers, in ms of wall time since the page was opened; a step is a slider's."""

    times: int
    first_ms: float
    drawn_ms: float
    step_ms: float


_STEPPER = """<script>(async () => {
  const done = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const root = document.documentElement, slider = document.getElementById("slide-max_params"), times = [];
  while (!root.dataset.drawn) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let step = 0; step < 9; step++) {
    const start = performance.now();
    slider.value = slider.max - 10 * step - 1;
    slider.dispatchEvent(new Event("input"));
    await done();
    times.push(performance.now() - start);
  }
  document.title = `${root.dataset.first} ${root.dataset.drawn} ${times.sort((a, b) => a - b)[4]}`;
})();</script></body>"""


def timed(report: Path, times: int = 3) -> Times:
    """What a report takes to draw and to follow its sliders, on the real clock."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "timed.html"
        page.write_text(report.read_text(encoding="utf-8").replace("</body>", _STEPPER), encoding="utf-8")
        found = [_title(page) for _ in range(times)]
    first, drawn, step = (median(each) for each in zip(*found, strict=True))
    return Times(times, first, drawn, step)


def _title(page: Path) -> list[float]:
    """The three figures that the page writes into its title, read off the browser's list of its pages."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = (*_FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "--window-size=1200,900")
        browser = subprocess.Popen(
            [CHROMIUM, *flags, page.resolve().as_uri()], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            for _ in range(600):
                time.sleep(0.1)
                port = Path(profile, "DevToolsActivePort")
                if not port.exists():
                    continue
                with urlopen(f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/list", timeout=10) as pages:
                    titles = [one["title"] for one in json.load(pages) if one["type"] == "page"]
                if titles and re.fullmatch(r"[\d.]+ [\d.]+ [\d.]+", titles[0]):
                    return [float(figure) for figure in titles[0].split()]
            raise RuntimeError(f"browser: {page.name} was not drawn within a minute")
        finally:
            browser.terminate()
            browser.wait()
