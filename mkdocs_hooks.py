"""Bring the documents beside `docs/` onto the site: README as the home page, the map of the code, benchmarks.

In the repository a page of `docs/` links to `../benchmarks/README.md`, and README links to `docs/search.md`. On the
site `docs/` and the root of the repository are the same folder, so that both links lose a part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent
HOME = "README.md"
BESIDE = (
    HOME,
    "LICENSE",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/*.py",
    "benchmarks/**/*.md",
    "examples/*.py",
    "deploy/*",
    "cluster.yaml",
)


def on_files(files: Files, *, config: Any) -> Files:
    """Add every file of `BESIDE` at its path in the repository, README at `index.md`."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            place = "index.md" if pattern == HOME else path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with its links as the site has them."""
    if page.file.generated_by:
        return markdown.replace("](docs/", "](").replace("](../docs/", "](../")
    up = "../" * page.file.src_uri.count("/")
    return markdown.replace(f"]({up}../", f"]({up}")
