"""The README's picture: the figure of the front in a study's report, drawn by headless Chromium.

python -m benchmarks.picture STUDY [--home DIR] [--out docs/front.png]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import paretune
from benchmarks.browser import CHROMIUM, browser

ALONE = """<style>
main { max-width: none; padding: 0 .5rem; }
main > :not(section:has(#front)), section > :not(figure), figcaption { display: none !important; }
section:has(#front) figure { margin: 0; }
</style></head>"""


def main() -> None:
    """Draw and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("study")
    options.add_argument("--home", type=Path)
    options.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "front.png")
    chosen = options.parse_args()
    if CHROMIUM is None:
        sys.exit("picture: needs chromium or chrome on the path")
    with tempfile.TemporaryDirectory() as folder:
        page = paretune.report(chosen.study, Path(folder) / "front.html", home=chosen.home)
        page.write_text(page.read_text(encoding="utf-8").replace("</head>", ALONE, 1), encoding="utf-8")
        with browser() as tab:
            tab.resize(1000, 490)
            tab.open(page)
            tab.picture(chosen.out)
    print(chosen.out)


if __name__ == "__main__":
    main()
