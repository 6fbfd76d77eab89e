"""A database is the file its URI names, whatever characters are in the path of a home."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from search.settings import Settings
from search.uri import database, sqlite_uri

NAMES = [
    "my runs?",
    "a%20b",
    "a%b",
    "%%",
    "x?y=1&uri=true",
    "a#b",
    "a&b=c",
    "q'uo\"te",
    "ünï",
    "日本",
    "trail ",
    "~x",
    "-lead",
    "new\nline",
    "[x]",
    "{x}",
    "$HOME",
    "a:b",
    "c\\d",
    "@x",
    "file:z",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_mlflows_database_lies_in_the_home_and_nothing_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = Settings("s", home=Path(name)).mlflow_uri
    wanted = tmp_path / name / "mlflow.db"
    assert make_url(uri).database == str(wanted)
    assert database(uri) == wanted
    Path(name).mkdir()
    from mlflow.store.db.utils import _make_parent_dirs_if_sqlite  # late: MLflow logs as the first import says

    _make_parent_dirs_if_sqlite(uri)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_plain_path_is_plain_in_its_uri() -> None:
    assert sqlite_uri(Path("/home/me/runs 1/mlflow.db")) == "sqlite:////home/me/runs 1/mlflow.db"
