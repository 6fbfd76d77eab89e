"""Ray for a search: check the options, start a Ray or join a cluster, and leave no trace.

Ray keeps no truth: results are passed on at once, and Ray's own files live in a temporary folder.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from compress.machine.resources import usable_cpus
from search.environment import of_own_ray, short_folder, variables
from search.running.interrupts import listening
from search.settings import Settings
from search.tracking.client import ENVIRONMENT
from search.worker_path import ROOT

_VARIABLES = {
    **ENVIRONMENT,  # Tune imports MLflow before our own code does
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files a trial
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Tune's pickled state is never restored
    "TUNE_MAX_PENDING_TRIALS_PG": "16",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # no traceback: the error becomes the trial's reason
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees none
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # the handler turns SIGTERM into a crash with a C++ stack
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` Ray would copy the current folder, and run another Python
}
for _name, _value in _VARIABLES.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402  the variables above are read at import
import torch  # noqa: E402
from filelock import FileLock, Timeout  # noqa: E402
from ray.job_config import JobConfig  # noqa: E402

from search.running import local_ray  # noqa: E402

ROUNDING = 1e-6
SCRATCH_LOCK = "driver.lock"


@contextmanager
def started(settings: Settings, scratch: Path) -> Iterator[None]:
    """Start a Ray of our own, or join the cluster at `address`; SIGTERM and SIGHUP act as Ctrl-C meanwhile."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "job_config": _job()}
    with listening(), ExitStack() as held:
        if settings.address is None:
            held.enter_context(variables(of_own_ray(_VARIABLES)))
            local_ray.start(num_cpus=usable_cpus(), include_dashboard=False, _temp_dir=str(scratch / "ray"), **quiet)
        else:
            try:
                ray.init(address=settings.address, **quiet)
            except (OSError, ValueError, RuntimeError, SystemExit) as error:
                raise ValueError(
                    f"address: no Ray cluster answers at {settings.address!r}: {_reason(error)}"
                ) from error
        try:
            yield
        finally:
            _shut_down()


def _shut_down() -> None:
    with listening(None):  # a shutdown takes a second or two, and must not be interrupted
        gc.collect()  # a Ray object that another thread's collector frees after the shutdown ends the process
        gc.disable()
        try:
            ray.shutdown()
        finally:
            gc.enable()


class _Fixed(list[str]):
    """Folders where workers look for modules first. Ray would add the current folder and the script's.

    A user's modules belong last.
    """

    def extend(self, more: Iterable[str]) -> None:
        """Add nothing."""


def _job() -> JobConfig:
    """Return a config: workers look for our modules first, where this process has them (`search.worker_path`)."""
    return JobConfig(_py_driver_sys_path=_Fixed([ROOT]))


def _reason(error: BaseException) -> str:
    """Return the reason of a failed connection; Ray's own message does not name a wrong token."""
    cause: BaseException | None = error
    while cause is not None:
        if "AuthenticationError" in str(cause):
            return "it wants a token; set RAY_AUTH_MODE=token, and have its token in ~/.ray/auth_token"
        cause = cause.__cause__
    return str(error)


def check_fits(settings: Settings) -> None:
    """Raise ValueError if a trial takes more than this machine has; a joined cluster is not checked."""
    if settings.address is None:
        for option, asked, have in (
            ("cpus-per-trial", settings.cpus_per_trial, usable_cpus()),
            ("gpus-per-trial", settings.gpus_per_trial or 0.0, torch.cuda.device_count()),
        ):
            if asked > have:
                raise ValueError(f"{option} must be at most {have}, what this process may use, got {asked:.12g}")


def places(settings: Settings) -> int:
    """Return how many trials fit at once on the nodes alive now, each trial on a single node."""
    needed = {"CPU": settings.cpus_per_trial, "GPU": settings.gpus_per_trial or 0.0}
    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return sum(min(int(have.get(name, 0) / need + ROUNDING) for name, need in needed.items() if need) for have in there)


def check_address(address: str | None) -> None:
    """Raise ValueError unless the address is auto or a HOST:PORT that answers.

    Ray itself would try for minutes, or for ever. `auto` follows RAY_ADDRESS, as Ray does. Without an address Ray is
    our own: RAY_ADDRESS is not followed, and a note says so. ValueError also without a folder for the files of our own
    Ray, and in a process already connected to a Ray.
    """
    if ray.is_initialized():  # a Ray that is not ours to shut down
        raise ValueError("address: this process must be connected to no Ray yet, it is; call ray.shutdown() before")
    who, given = "address:", os.environ.get("RAY_ADDRESS") or "auto"
    if address is None:
        short_folder()
        if given != "auto":
            logging.getLogger(__name__).warning(
                "note: the search has a Ray of its own, not that of RAY_ADDRESS=%s; --address auto joins it", given
            )
        return
    if address == "auto":
        who, address = "RAY_ADDRESS, which --address auto follows:", given
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in host or not (host and port.isdigit()):  # with a URL Ray would move the driver to another machine
        raise ValueError(
            f"{who} must be auto or HOST:PORT of the Ray that this machine belongs to, got {address!r}; "
            "from elsewhere type `ray job submit`"
        )
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError, UnicodeError, ValueError) as error:  # all but OSError: an impossible port or host
        raise ValueError(f"{who} no Ray cluster answers at {address!r}: {error}") from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a short-lived folder for Ray's own files, and remove the folders of killed drivers.

    A driver holds a lock in its folder while it lives: process numbers say nothing to a container that shares the
    folder of temporary files. ValueError as `short_folder`.
    """
    place = short_folder()
    for left in place.glob("paretune-*-*"):
        if _is_left_over(left):
            shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="making-paretune-", dir=place))
    folder = place / f"paretune-{os.getpid()}-{made.name.rpartition('-')[2]}"
    with FileLock(made / SCRATCH_LOCK):
        made.rename(folder)  # under this name the folder is never seen without its lock
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    """Return whether nobody holds a scratch folder's lock; of an earlier version's, whether its process is gone."""
    owner = folder.name.split("-")[1]
    try:
        if not (folder / SCRATCH_LOCK).exists():
            return owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc").exists()
        with FileLock(folder / SCRATCH_LOCK, timeout=0):
            return True
    except (OSError, Timeout):  # of another user, gone, or held
        return False
