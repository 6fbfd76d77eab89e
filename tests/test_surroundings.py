"""A search, and a model taken away, where everything around them is against it at once; each by the real command."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from paretune_names import OURS, ROOT
from search.study.study import Study

pytestmark = pytest.mark.slow
PROXY = "http://127.0.0.1:9"
ANOTHER_RAY = {
    "RAY_ADDRESS": "127.0.0.1:6379",
    "RAY_NAMESPACE": "x",
    "RAY_REDIS_ADDRESS": "127.0.0.1:1",
    "RAY_USE_TLS": "1",
    "RAY_RUNTIME_ENV_HOOK": "nowhere.hook",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {"working_dir": "/nowhere"}}',
    "RAY_AUTH_TOKEN_PATH": "/nowhere",
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 99}',
    "RAY_TMPDIR": "/nowhere",
    "RAY_LOG_TO_STDERR": "1",
}
LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
MAIN = "import os, sys; os.umask(0o077); sys.argv[0] = 'paretune'; from paretune_names import main; main()"
PARTS = ("torch", "ray", "mlflow", "optuna", "pandas", "PIL", "numpy", "json", "random", "queue", "types", "tests")
MY_NET = """
from torch import nn

def make(classes, channels):
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), pooled, nn.Linear(4, classes))
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current folder: a network, and files named like modules of ours and of others that leave `ran.txt`."""
    folder = tmp_path_factory.mktemp("there")
    for name in (*(name for name in OURS if name != "paretune"), *PARTS):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran.txt')!r}, 'a').write('{name}')")
    (folder / "path").mkdir()
    for name in OURS:
        (folder / "path" / f"{name}.py").write_text(f"open({str(folder / 'ran.txt')!r}, 'a').write('path/{name}')")
    (folder / "my_net.py").write_text(MY_NET)
    (folder / ("x" * 100)).mkdir()
    return folder


def call(there: Path, *words: str) -> subprocess.CompletedProcess[str]:
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), PROXY)
    own = {"TMPDIR": str(there / ("x" * 100)), "HOME": "/nowhere", "PYTHONPATH": f"{there / 'path'}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-P", "-c", MAIN, *words, "--home", "my runs?"],
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **proxies, **ANOTHER_RAY, **LOCALE, **own},
    )


def test_a_search_is_done_and_its_model_taken_away(there: Path) -> None:
    done = call(there, "search", "--name", "s", "--student", "my_net:make", "--trials", "1")
    assert done.returncode == 0, done.stderr
    said = (
        "note: the search has a Ray of its own, not that of RAY_ADDRESS=127.0.0.1:6379;",
        "digits: ",
        "space joint at the scale small",
        "trial 0: no point yet",
        "trial 0 complete",
    )
    for line, beginning in zip(done.stderr.splitlines(), said, strict=True):
        assert line.startswith(beginning)
    home = there / "my runs?"
    assert [trial.status for trial in Study(home, "s").record.trials] == ["complete"]
    assert {path.name for path in home.iterdir()} >= {"mlflow.db", "mlartifacts", "store", "studies"}
    assert not {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in home.rglob("*")} - {0}
    (params,) = re.findall(r"take: paretune select s --max-params (\S+)", done.stdout)
    taken = call(there, "select", "s", "--max-params", params, "--export", "out")
    assert taken.returncode == 0, taken.stderr
    assert "reloaded in a new process: accuracy, params, MACs and bytes as recorded" in taken.stdout
    assert "registered as models:/paretune-s/1" in taken.stdout
    assert not (there / "ran.txt").exists()
    assert {path.name for path in there.iterdir() if path.suffix != ".py"} == {"path", "x" * 100, "my runs?", "out"}
