"""Links of the documents lead somewhere: to files, to headings, to names in the code. No network is asked."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
BESIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*BESIDE, *DOCS, *sorted((ROOT / "benchmarks").rglob("*.md")), ROOT / "deploy" / "README.md"]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def prose(page: Path) -> str:
    """A page without its blocks of code, whose brackets and signs are neither links nor headings."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings: lower case, hyphens for spaces, no other signs."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The links of a page within the repository that lead to no file or to no heading."""
    found = []
    for link in re.findall(r"\]\(\s*([^)\s]+)\s*\)", prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_or_a_heading(page: Path) -> None:
    assert not broken(page)


def test_a_link_to_a_file_or_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# What, now?\n[a](gone.md) [b](#what-now) [c](page.md#gone) [d](https://e.org)\n```\n[f](g)\n```\n"
    )
    assert broken(page) == ["gone.md", "page.md#gone"]


def test_the_site_lists_every_page_of_docs_once() -> None:
    listed = re.findall(r"[\w/-]+\.md", str(SITE["nav"]))
    # `mkdocs_hooks.py` brings them
    beside = {"index.md", "benchmarks/README.md", "deploy/README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
    assert sorted(listed) == sorted({*beside, *(page.relative_to(ROOT / "docs").as_posix() for page in DOCS)})


@pytest.mark.parametrize("name", re.findall(r"^::: (\S+)", "".join(page.read_text() for page in DOCS), re.MULTILINE))
def test_every_name_of_the_reference_exists_and_says_what_it_is(name: str) -> None:
    module, _, member = name.rpartition(".")
    assert getattr(importlib.import_module(module), member).__doc__


def test_every_test_that_a_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests/)?[\w/]*\btest_\w+\.py)`", "".join(page.read_text() for page in DOCS)))
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert named
    assert not {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in there)}


def test_the_licence_is_the_one_of_the_package() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
