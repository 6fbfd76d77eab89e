"""Headless Chromium, driven over its DevTools protocol by a pipe: scripts run, keys pressed, pictures taken."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 90.0
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --hide-scrollbars --disable-quic --no-first-run --window-size=1200,900 "
    "--disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe"
)
_DRAWN = """new Promise((done) => { const look = () =>
  document.documentElement.dataset.drawn ? requestAnimationFrame(() => setTimeout(done)) : setTimeout(look, 10);
  look(); })"""
_KEYS = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Enter": 13}


class Page:
    """A tab. `console` is what was said, warnings included, since a page was opened last, in it and in its sandboxed
    frames; `errors` what was thrown or said as an error in any page so far.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._number, self._rest = to, back, 0, b""
        self._answers: dict[int, dict[str, Any]] = {}
        self.console: list[str] = []
        self.errors: list[str] = []
        self._frames: list[str] = []
        target = self._call("Target.createTarget", None, url="about:blank")["targetId"]
        self._page = self._call("Target.attachToTarget", None, targetId=target, flatten=True)["sessionId"]
        self._begin(self._page)
        self.call("Log.enable")

    def go(self, url: str) -> None:
        """Begin to load a page."""
        self.console.clear()
        self._frames.clear()
        self.call("Page.navigate", url=url)

    def open(self, path: Path) -> None:
        """Show a report, and wait until all its figures are drawn."""
        self.go(path.resolve().as_uri())
        self.until("document.readyState + location.protocol === 'completefile:'")
        self.run(f"await {_DRAWN}")

    def run(self, script: str, frame: str | None = None) -> Any:
        """What the body of an async function returns in the page, or a frame; RuntimeError with what it threw."""
        code = {"expression": f"(async () => {{ {script} }})()", "awaitPromise": True, "returnByValue": True}
        answer = self._call("Runtime.evaluate", frame or self._page, **code)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"browser: {json.dumps(answer['exceptionDetails'])[:2000]}")
        return answer["result"].get("value")

    def until(self, expression: str, frame: str | None = None) -> Any:
        """The first value of an expression that is true; RuntimeError when none comes."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := self.run(f"return {expression}", frame)):
            if time.monotonic() > deadline:
                shown = self.run("return document.body.innerText", frame)
                raise RuntimeError(f"browser: {expression} did not come true, the page shows {shown[:2000]}")
            time.sleep(0.05)
        return value

    def frame(self) -> str:
        """The page's sandboxed frame, for `run` and `until`; RuntimeError when none comes."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._frames:
            if time.monotonic() > deadline:
                raise RuntimeError("browser: the page got no sandboxed frame")
            self.run("")  # with its answer comes what else there is to hear
            time.sleep(0.05)
        return self._frames[-1]

    def press(self, key: str) -> None:
        """A key of the keyboard, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key])

    def resize(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """The window in pixels and what the reader prefers; `phone` has a touch screen."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """As PNG; the `whole` page, not only what the window shows."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def print(self, path: Path) -> None:
        """As PDF, A4."""
        made = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(made["data"]))

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """One method of the protocol, for the page; RuntimeError with what is wrong."""
        return self._call(method, self._page, **params)

    def _begin(self, session: str) -> None:
        for domain in ("Page", "Runtime"):
            self._call(f"{domain}.enable", session)
        self._call("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    def _call(self, method: str, session: str | None, **params: object) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while number not in self._answers:
            heard = self._read()
            if "id" in heard:
                self._answers[heard["id"]] = heard
            else:
                self._hear(heard)  # may itself call, and read the answer waited for here
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"browser: {method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _hear(self, event: dict[str, Any]) -> None:
        what, told = event.get("method"), event.get("params", {})
        if what == "Target.attachedToTarget" and told["targetInfo"]["type"] == "iframe":
            self._frames.append(told["sessionId"])
            self._begin(told["sessionId"])
        elif what == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
            self.errors += self.console[-1:] * (told["type"] == "error")
        elif what == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description") or details["text"])
            self.errors.append(self.console[-1])
        elif what == "Log.entryAdded":
            self.console.append(told["entry"]["text"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._back], [], [], PATIENCE_S)[0]:
                raise RuntimeError(f"browser: Chromium said nothing for {PATIENCE_S:g} s")
            more = os.read(self._back, 1 << 20)
            if not more:
                raise RuntimeError("browser: Chromium has ended")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


@contextmanager
def browser() -> Iterator[Page]:
    """A fresh Chromium with one empty tab of 1200 x 900 pixels; ended at the end."""
    assert CHROMIUM is not None
    theirs, to = os.pipe()
    back, ours = os.pipe()
    words = f'exec "$0" {_FLAGS} --user-data-dir="$1" about:blank 3<&{theirs} 4>&{ours}'  # it reads 3 and writes 4
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["bash", "-c", words, CHROMIUM, profile]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, pass_fds=(theirs, ours), stdout=quiet, stderr=quiet)
        os.close(theirs)
        os.close(ours)
        try:
            yield Page(to, back)
        finally:
            process.kill()
            process.wait()
            os.close(to)
            os.close(back)
