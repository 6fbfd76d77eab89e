"""A headless Chromium that opens a page, evaluates, and leaves a screenshot; spoken to over a pipe."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1700,1300 --remote-debugging-pipe"
)


class Page:
    """One page and its frames. `errors` are what scripts threw or wrote to the console as errors, those of its
    sandboxed `frames` included, which are sessions of their own.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._number, self._rest = to, back, 0, b""
        self._answers: dict[int, dict[str, Any]] = {}
        self.errors: list[str] = []
        self.frames: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._page = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._begin(self._page)

    def open(self, url: str) -> None:
        self._call("Page.navigate", self._page, url=url)

    def says(self, script: str, frame: str | None = None) -> Any:
        """What a script comes to, in the page or a frame's session."""
        answer = self._call("Runtime.evaluate", frame or self._page, expression=script, returnByValue=True)
        return answer["result"].get("value")

    def until(self, script: str, frame: str | None = None, seconds: float = 90) -> Any:
        """The first value of a script that is true."""
        end = time.monotonic() + seconds
        while not (value := self.says(script, frame)):
            assert time.monotonic() < end, f"{script}: {self.says('document.body.innerText', frame)}"
            time.sleep(0.3)
        return value

    def shoot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", self._page)["data"]))

    def _begin(self, session: str) -> None:
        for domain in ("Page", "Runtime"):
            self._call(f"{domain}.enable", session)
        self._call("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while number not in self._answers:
            heard = self._read()
            if "id" in heard:
                self._answers[heard["id"]] = heard
            else:
                self._hear(heard)  # may itself call, and read the answer waited for here
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _hear(self, event: dict[str, Any]) -> None:
        what, params = event.get("method"), event.get("params", {})
        if what == "Target.attachedToTarget" and params["targetInfo"]["type"] == "iframe":
            self.frames.append(params["sessionId"])
            self._begin(params["sessionId"])
        elif what == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif what == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(" ".join(str(arg.get("value")) for arg in params["args"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._back], [], [], 60)[0], "chromium says nothing"
            self._rest += os.read(self._back, 1 << 20)
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


@contextlib.contextmanager
def browser(chromium: str, folder: Path) -> Iterator[Page]:
    """Started with a profile of its own in `folder`, killed in the end."""
    theirs, to = os.pipe()
    back, ours = os.pipe()
    words = f'exec "$0" {OPTIONS} --user-data-dir="$1" about:blank 3<&{theirs} 4>&{ours}'  # it reads 3 and writes 4
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", words, chromium, str(folder / "profile")], pass_fds=(theirs, ours), stdout=log, stderr=log
        )
    os.close(theirs)
    os.close(ours)
    try:
        yield Page(to, back)
    finally:
        process.kill()
        process.wait()
        os.close(to)
        os.close(back)
