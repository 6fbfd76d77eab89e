"""Modules of a user's folders that have the names of ours, or of what we use: none of them is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import paretune_names
from paretune_names import OURS, ROOT

PARTS = ("torch", "ray", "numpy", "json", "random", "queue", "tests")
SCRIPT = """
import importlib, sys
import paretune
for name in {names}:
    file = importlib.import_module(name).__file__
    assert file.startswith({root!r}), file
import my_net
"""


def shadow(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('{folder}/{name}.py was run')")
    (folder / "my_net.py").write_text("")


def run(folder: Path, *words: str, path: str = ROOT) -> str:
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_beside_modules_named_like_ours_gets_ours_and_its_own(tmp_path: Path) -> None:
    names = tuple(name for name in OURS if name != "paretune")
    shadow(tmp_path, names)
    (tmp_path / "script.py").write_text(SCRIPT.format(names=names, root=ROOT))
    run(tmp_path, "script.py")


def test_the_command_is_ours_whatever_the_users_path_says_first(tmp_path: Path) -> None:
    shadow(tmp_path, OURS)
    script = "import sys; sys.argv[1:] = ['methods', '--json']; from paretune_names import main; main()"
    assert '"name": "l1-filter"' in run(tmp_path, "-P", "-c", script, path=f"{tmp_path}{os.pathsep}{ROOT}")


def test_run_as_a_module_it_looks_in_the_current_folder_last(tmp_path: Path) -> None:
    shadow(tmp_path, (*(name for name in OURS if name != "paretune"), *PARTS))
    assert '"name": "l1-filter"' in run(tmp_path, "-m", "paretune", "methods", "--json")


@pytest.mark.parametrize("name", ["search", "compress", "paretune"])
def test_a_users_module_that_came_first_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType(name)
    theirs.__file__ = str(tmp_path / f"{name}.py")
    monkeypatch.setitem(sys.modules, name, theirs)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    with pytest.raises(ImportError, match=rf"no other module may be named '{name}' in this process, got .*{name}\.py;"):
        paretune_names._claim()
