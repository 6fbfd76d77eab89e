"""Where a worker looks for modules: as the driver does, and in no folder of the user's before our own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search.worker_path import ROOT, folders, settle


def test_a_worker_drops_the_first_place_of_ours_and_looks_in_the_drivers_folders_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [ROOT, "/ray", "/lib"])
    settle(["/user", "/lib", "/here"])
    assert sys.path == ["/ray", "/lib", "/user", "/here"]
    settle(["/user"])
    assert sys.path == ["/ray", "/lib", "/user", "/here"], "a worker is used for trial after trial"


def test_our_own_folder_is_found_again_where_a_user_works_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [ROOT, "/lib"])
    settle(["/lib", ROOT])
    assert sys.path == ["/lib", ROOT]


def test_the_drivers_folders_are_absolute_and_end_with_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["nets", "/lib", "nets"])
    assert folders() == [str(tmp_path / "nets"), "/lib", str(tmp_path)]
    monkeypatch.setattr(sys, "path", ["", "/lib"])
    assert folders() == [str(tmp_path), "/lib"]
