"""The mirror of a search, in a process of its own.

MLflow's imports and its new database take seconds of Python, the report as well. In the driver's process they would
take the interpreter from the driver, which has to choose the next trials. The process reads the study's ledger, as
every other reader does, whenever the driver says that there is something new.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from search.settings import Settings
from search.study.record import StudyRecord
from search.study.study import Study
from search.tracking.experiment import ARTIFACTS
from search.tracking.sync import Sync
from search.tracking.writer import Draw
from search.worker_path import ROOT

NEWS, END = b"n", b"e"
"""What the driver says: the ledger has something new; the search is over."""
PROGRAM = "import paretune_names; from search.tracking.mirror import main; main()"
NICENESS = 5
PAUSE_S = 0.1
"""Seconds between two looks at the ledger: a short trial has many points."""


class Mirror:
    """Keeps MLflow up to date with the study of `settings`; no call but `close` waits for MLflow.

    `draw` makes the report. `trouble` says why the mirror is incomplete, in a sentence; "" for a complete mirror.
    """

    def __init__(self, settings: Settings, draw: Draw) -> None:
        self.trouble = ""
        self._sync = Sync.of(settings)
        self._task = {
            "uri": settings.mlflow_uri,
            "home": str(settings.home),
            "study": settings.name,
            "source": sys.argv[0],
            "again": self._sync.again,
            "draw": f"{draw.__module__}:{draw.__qualname__}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; further calls do nothing."""
        if self._process is not None:
            return
        path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", PROGRAM],
                env={**os.environ, "PYTHONPATH": path},
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the driver alone
            )
        except OSError as error:
            self.trouble = self._sync.sentence(f"could not be written (no process for it: {error.strerror})")
            return
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)  # a process that hangs holds nobody up
        self._say(json.dumps(self._task).encode() + b"\n")  # not as an argument: a URI may have a password

    def post(self) -> None:
        """Say that the ledger has something new."""
        self._say(NEWS)

    def finish(self) -> None:
        """Let the process bring MLflow up to date once more, and end; return at once."""
        self._say(END)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def close(self, timeout: float) -> bool:
        """Finish; return whether the mirror is complete, else see `trouble`."""
        if self._process is None or self._process.stdout is None:
            return not self.trouble
        self.finish()
        try:
            code = self._process.wait(timeout)
            self.trouble = str(json.loads(self._process.stdout.read())["trouble"])
        except subprocess.TimeoutExpired:
            self.trouble = self._sync.sentence(f"could not be brought up to date within {timeout:g} s")
        except (ValueError, LookupError, TypeError):
            self.trouble = self._sync.sentence(f"could not be written (the mirror's process ended with {code})")
        finally:
            self._process.kill()  # after Ctrl-C too: nobody would hear of its end
            self._process.wait()
            self._process.stdout.close()
        return not self.trouble

    def _say(self, word: bytes) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.closed:
            with suppress(OSError):  # the process has died: `close` says so
                self._process.stdin.write(word)


def main() -> None:
    """Mirror a study until standard input ends, whose first line names the study, as JSON; print the trouble as JSON.

    Without `END` on the input the driver has died, and nothing more is written.
    """
    driver, answer = os.fdopen(0, "rb", buffering=0), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library may print
    task = json.loads(driver.readline())
    sys.argv = [task["source"]]  # MLflow shows whose runs they are
    os.nice(NICENESS)
    module, _, name = task["draw"].partition(":")
    home = Path(task["home"])

    def draw(record: StudyRecord) -> str:
        return str(getattr(import_module(module), name)(record))

    sync = Sync(task["uri"], task["study"], home / ARTIFACTS, draw, again=task["again"])
    sync.start()
    study: Study | None = None
    is_over = False
    while not is_over and (said := driver.read(1 << 16)):
        is_over = said.endswith(END)
        if study is None:
            study = Study(home, task["study"])
        else:
            study.read_on()
        if study.exists:
            sync.post(study.record)
        if not is_over:
            time.sleep(PAUSE_S)
    if is_over:
        if study is not None and study.exists:
            sync.close(None)
        print(json.dumps({"trouble": sync.trouble}), file=answer, flush=True)
    os._exit(0)
