"""The README's picture: a study's front against parameters, drawn by headless Chromium.

python -m benchmarks.picture STUDY [--home DIR] [--out docs/front.png]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import paretune
from dashboards import figures

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking")


def main() -> None:
    """Draw and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("study")
    options.add_argument("--home", type=Path)
    options.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "front.png")
    chosen = options.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("picture: needs chromium or chrome on the path")
    figure = figures(paretune.open_study(chosen.study, chosen.home))["front_params"]
    figure.update_layout(width=1000, height=560)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "front.html"
        page.write_text(
            f"<body style='margin:0'>{figure.to_html(full_html=False, config={'displayModeBar': False})}</body>"
        )
        wanted = (f"--user-data-dir={folder}/profile", f"--screenshot={chosen.out.resolve()}", "--window-size=1000,570")
        subprocess.run([browser, *FLAGS, *wanted, page.as_uri()], check=True, capture_output=True)
    print(chosen.out)


if __name__ == "__main__":
    main()
