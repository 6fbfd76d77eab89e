"""What a search finds around it: variables of another Ray, proxies, temporary folders, streams."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from search.environment import SHORT, Terminal, of_own_ray, short_folder, spare_loopback, variables
from search.uri import asked

PROXY = "http://127.0.0.1:9"
"""Nobody listens there."""


@pytest.mark.parametrize(
    "name",
    [
        "RAY_ADDRESS",
        "RAY_NAMESPACE",
        "RAY_RUNTIME_ENV_HOOK",
        "RAY_JOB_CONFIG_JSON_ENV_VAR",
        "RAY_AUTH_TOKEN_PATH",
        "RAY_AUTH_MODE",
        "RAY_REDIS_ADDRESS",
        "RAY_USE_TLS",
        "RAY_OVERRIDE_RESOURCES",
        "RAY_TMPDIR",
        "RAY_GCS_SERVER_PORT",
        "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR",
    ],
)
def test_a_variable_of_another_ray_does_not_reach_our_own(name: str) -> None:
    assert of_own_ray({}, {name: "x"})[name] is None


def test_settings_of_any_ray_and_those_we_made_stay() -> None:
    given = {"RAY_memory_usage_threshold": "0.9", "RAY_USAGE_STATS_ENABLED": "0", "PATH": "/bin"}
    changed = of_own_ray({"RAY_USAGE_STATS_ENABLED": "0"}, given)
    assert changed.keys() == {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
    assert changed["RAY_AUTH_TOKEN"] != of_own_ray({}, {})["RAY_AUTH_TOKEN"]


def test_variables_are_as_they_were_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "there")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with variables({"RAY_ADDRESS": None, "RAY_AUTH_TOKEN": "t"}):
        assert "RAY_ADDRESS" not in os.environ
        assert os.environ["RAY_AUTH_TOKEN"] == "t"
    assert os.environ["RAY_ADDRESS"] == "there"
    assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server on this machine that answers whatever it is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        yield there.server_port
        there.shutdown()


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A proxy for everything, that is down."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, PROXY)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_asked_without_the_proxy(
    host: str, server: int, proxied: pytest.MonkeyPatch
) -> None:
    assert asked(f"http://{host}:{server}") == ("", False)


def test_what_was_spared_the_proxy_stays_so(proxied: pytest.MonkeyPatch) -> None:
    proxied.setenv("no_proxy", "example.org, localhost")
    spare_loopback()
    for name in ("no_proxy", "NO_PROXY"):
        words = os.environ[name].split(",")
        assert words[:3] == ["example.org", "localhost", "127.0.0.1"]
        assert words.count("localhost") == 1
    proxied.setenv("no_proxy", "*")
    spare_loopback()
    assert os.environ["no_proxy"] == "*"


def test_without_a_proxy_no_variable_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    spare_loopback()
    assert dict(os.environ) == before


@pytest.mark.parametrize("length", [56, 100])
def test_where_the_temporary_folder_has_a_long_path_rays_files_lie_in_a_short_one(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * (length - len(str(tmp_path)) if length > len(str(tmp_path)) + 1 else length))
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert str(short_folder()) in SHORT


@pytest.mark.parametrize("given", ["/nowhere/at/all", "relative", "é" * 20], ids=ascii)
def test_a_temporary_folder_that_is_missing_or_relative_is_no_obstacle(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(given).mkdir() if "/" not in given else None
    monkeypatch.setenv("TMPDIR", given)
    monkeypatch.setattr(tempfile, "tempdir", None)
    found = short_folder()
    assert found.is_absolute()
    assert len(os.fsencode(found)) < 20


def test_without_a_folder_for_rays_files_the_sentence_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("search.environment.SHORT", ("/nowhere",))
    monkeypatch.setattr("search.environment.LONGEST_SOCKET", 10)
    with pytest.raises(ValueError, match=rf"^TMPDIR must name a folder .* characters, got '{tmp_path}', and /nowhere"):
        short_folder()


def test_output_to_a_terminal_that_is_closed_is_dropped_and_other_errors_are_not() -> None:
    master, slave = pty.openpty()
    out = Terminal(slave, "w", closefd=False)
    assert out.write(b"seen") == 4
    assert os.read(master, 4) == b"seen"
    os.close(master)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(slave, b"lost")
    assert out.write(b"lost") == 4
    os.close(slave)
    with pytest.raises(OSError, match="Bad file descriptor"):
        out.write(b"lost")


def test_a_command_at_a_terminal_prints_to_the_end_after_the_terminal_is_closed(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "from search.environment import steady_streams; steady_streams();"
        "print('begun', sys.stdout.isatty(), file=sys.stderr); time.sleep(1);"
        "print('lost'); print('lost', file=sys.stderr, flush=True); sys.stdout.flush();"
        f"open({str(tmp_path / 'end')!r}, 'w').close()"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])
    assert b"begun True" in os.read(terminal, 100)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "end").exists()


def test_closed_streams_and_a_terminal_without_utf8_print_what_they_can() -> None:
    script = (
        "from search.environment import steady_streams; import sys, os; steady_streams(); "
        "print('a ± b'); open(os.devnull); print('c', file=sys.stderr); sys.stderr.flush()"
    )
    command = f"exec '{sys.executable}' -c \"{script}\" <&- 2>&-"
    found = subprocess.run(
        ["sh", "-c", command],
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (found.returncode, found.stdout) == (0, b"a ? b\n")
