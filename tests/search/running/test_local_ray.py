"""A Ray that does not come up: another try, then one sentence. Stand-ins raise what `ray.init` raises."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
import ray._private.node
import ray._private.services
import ray._private.utils

from search.running import cluster, local_ray
from search.settings import Settings
from search.worker_path import ROOT

SLOW = Exception(
    "The current node timed out during startup. This could happen because some of the raylet failed to startup"
)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[subprocess.Popen[bytes]]]:
    """`failing(*errors)`: each start of Ray leaves a process and ends in the next error; None for a Ray that is up."""
    children: list[subprocess.Popen[bytes]] = []

    def install(*errors: BaseException | None) -> list[subprocess.Popen[bytes]]:
        left = list(errors)

        def init(**_: Any) -> None:
            children.append(ray._private.services.ConsolePopen(["sleep", "60"]))
            error = left.pop(0)
            if error is not None:
                raise error

        monkeypatch.setattr(ray, "init", init)
        return children

    return install


@pytest.mark.parametrize("error", [SLOW, RuntimeError("Failed to start GCS."), SystemExit(1), OSError("No space left")])
def test_a_ray_that_comes_up_at_the_second_try_is_as_good(
    error: BaseException, failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    children = failing(error, None)
    local_ray.start()
    first, second = children
    assert first.poll() is not None, "what the first try left is ended"
    assert second.poll() is None
    (note,) = caplog.messages
    assert note.startswith("note: Ray did not come up (")
    second.kill()
    second.wait()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SLOW, "Exception: The current node timed out during startup"),
        (RuntimeError("Failed to start GCS.\nLast 20 lines:\n..."), "RuntimeError: Failed to start GCS.;"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device;"),
        (SystemExit(1), "SystemExit: 1;"),
    ],
)
def test_a_ray_that_does_not_come_up_is_one_sentence(error: BaseException, said: str, failing: Any) -> None:
    children = failing(error, error)
    with pytest.raises(RuntimeError, match=r"^search: Ray must come up on this machine, it did not in 2 ") as raised:
        local_ray.start()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(child.poll() is not None for child in children)


def test_ctrl_c_while_ray_comes_up_leaves_nothing_running(failing: Any) -> None:
    children = failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        local_ray.start()
    assert [child.poll() is None for child in children] == [False]


def test_rays_processes_are_out_of_reach_of_the_terminals_signals_and_ray_is_as_it_was_after(failing: Any) -> None:
    before = ray._private.services.ConsolePopen, ray._private.utils.set_sigterm_handler
    children = failing(None)
    local_ray.start()
    (child,) = children
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert (ray._private.services.ConsolePopen, ray._private.utils.set_sigterm_handler) == before
    child.kill()
    child.wait()


def test_of_ray_only_what_a_search_uses_is_started(failing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node, seen = ray._private.node.Node, dict[str, object]()
    before = {name: getattr(node, name) for name in local_ray.SPARED}
    monkeypatch.delattr(node, "start_log_monitor")  # as a later version may have it

    def init(**_: Any) -> None:
        for name in ("start_monitor", "start_api_server"):
            seen[name] = getattr(node, name)(None, include_dashboard=False)
        seen["dashboard"] = ray._private.utils.get_dashboard_dependency_error()

    monkeypatch.setattr(ray, "init", init)
    local_ray.start()
    assert seen["start_monitor"] is seen["start_api_server"] is None
    assert isinstance(seen["dashboard"], ImportError)
    assert {name: getattr(node, name) for name in ("start_monitor", "start_api_server")}.items() <= before.items()
    assert not hasattr(node, "start_log_monitor")


def test_ray_is_told_of_the_cpus_this_process_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(local_ray, "start", lambda **options: told.update(options))
    with cluster.started(Settings("s", home=tmp_path), tmp_path):
        assert told["num_cpus"] == 1
        assert told["job_config"]._py_driver_sys_path == [ROOT]
        told["job_config"]._py_driver_sys_path.extend(["/the/current/folder"])
        assert told["job_config"]._py_driver_sys_path == [ROOT]
