"""Two machines in one: each has a network, processes, a name, a home folder and a folder for Ray of its own.

Linux namespaces hold them apart; a pair of virtual network cards joins them. Files are shared, as by NFS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIFE_S = 1200
"""Seconds after which a machine ends by itself, even if the test was killed."""
COMMAND_S = 400
"""Seconds a command may take."""
ADDRESSES = {"first": "10.77.0.1", "second": "10.77.0.2"}


@dataclass(frozen=True)
class Machine:
    """A machine. `pid` is the number of its first process on the host. `started` ends with the machine."""

    name: str
    pid: int
    home: Path
    started: list[subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return ADDRESSES[self.name]

    def command(self, *words: str) -> list[str]:
        """The words by which this machine has a command run on the other."""
        return ["nsenter", f"--target={self.pid}", "--net", "--uts", "--mount", "--pid", "--", *words]

    def environment(self, **more: str) -> dict[str, str]:
        paths = f"{sys.prefix}/bin:{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))}
        return {**kept, "HOME": str(self.home), "PATH": paths, **more}

    def start(self, *words: str, log: Path, **more: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as into:
            environment = self.environment(**more)
            running = subprocess.Popen(self.command(*words), env=environment, stdout=into, stderr=subprocess.STDOUT)
        self.started.append(running)
        return running

    def run(self, *words: str, **more: str) -> str:
        """What a command says; it must end well."""
        done = self.try_to_run(*words, **more)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def try_to_run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command; standard error comes with standard output."""
        return subprocess.run(
            self.command(*words),
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
        )


@contextmanager
def two_machines(**names: str) -> Iterator[tuple[Machine, Machine]]:
    """Yield the first and the second; `names` are more names with their addresses. The test is skipped without root."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("two machines need Linux's namespaces: root, and unshare, nsenter and ip on PATH")
    Path("/tmp/ray").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="tm-"))
    folder.chmod(0o755)  # for servers that run as somebody else
    hosts = folder / "hosts"
    hosts.write_text("".join(f"{at} {name}\n" for name, at in ({"localhost": "127.0.0.1"} | ADDRESSES | names).items()))
    try:
        with ExitStack() as held:
            first, second = (held.enter_context(_machine(name, folder)) for name in ADDRESSES)
            ends = [f"netns {first.pid}", f"type veth peer name wire netns {second.pid}"]
            _ip(f"link add name wire {' '.join(ends)}")
            for machine in (first, second):
                for words in (f"addr add {machine.address}/24 dev wire", "link set wire up", "link set lo up"):
                    machine.run("ip", *words.split())
            yield first, second
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _machine(name: str, folder: Path) -> Iterator[Machine]:
    home, temporary = folder / name, folder / f"{name}-ray"
    (home / ".ray").mkdir(parents=True)
    temporary.mkdir()
    # Bash as the first process buries orphans that end; `ray stop` would wait for them.
    script = (
        f"mount --bind {temporary} /tmp/ray && mount --bind {folder}/hosts /etc/hosts && hostname {name} "
        f"&& touch {home}/up; sleep {LIFE_S} & wait $!"
    )
    new = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with ExitStack() as held:
        started: list[subprocess.Popen[bytes]] = []
        running = held.enter_context(subprocess.Popen([*new, "bash", "-c", script]))
        held.callback(lambda: [one.wait() for one in started])
        held.callback(running.kill)  # and with it every process of the machine
        end = time.monotonic() + 30
        while not (home / "up").exists():
            if running.poll() is not None or time.monotonic() > end:
                pytest.skip("two machines need Linux's namespaces; the kernel refuses to make them")
            time.sleep(0.05)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        yield Machine(name, int(children[0]), home, started)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)
