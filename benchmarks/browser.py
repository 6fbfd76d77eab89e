"""Headless Chromium, driven over its DevTools protocol: scripts run in a page, keys pressed, pictures taken.

No more of WebSocket (RFC 6455) than one client needs that talks to one server on this machine.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60.0
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
_DRAWN = """new Promise((done) => { const look = () =>
  document.documentElement.dataset.drawn ? requestAnimationFrame(() => setTimeout(done)) : setTimeout(look, 10);
  look(); })"""
_KEYS = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Enter": 13}


class Page:
    """A tab: `console` is what was said in it, errors and warnings included, since a page was opened last."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self.console: list[str] = []
        self._calls = 0
        self._socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE_S)
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        self._socket.sendall(f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n{upgrade}\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Show a report, and wait until all its figures are drawn."""
        self.console.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while self.run("return document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < deadline, f"{path.name} did not load"
        self.run(f"await {_DRAWN}")

    def run(self, script: str) -> Any:
        """What the body of an async function returns in the page; RuntimeError with what it threw."""
        code = f"(async () => {{ {script} }})()"
        answer = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"browser: {json.dumps(answer['exceptionDetails'])[:2000]}")
        return answer["result"].get("value")

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
        """One method of the protocol; RuntimeError with what is wrong."""
        self._calls += 1
        self._send(json.dumps({"id": self._calls, "method": method, "params": params}).encode())
        while True:
            message = json.loads(self._receive())
            if message.get("id") == self._calls:
                if "error" in message:
                    raise RuntimeError(f"browser: {method}: {message['error']['message']}")
                found: dict[str, Any] = message["result"]
                return found
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
        elif message.get("method") == "Runtime.exceptionThrown":
            self.console.append(json.dumps(told["exceptionDetails"])[:1000])
        elif message.get("method") == "Log.entryAdded":
            self.console.append(told["entry"]["text"])

    def _send(self, data: bytes) -> None:
        size = len(data)
        head = bytes([0x81, 0x80 | 126]) + size.to_bytes(2, "big")
        if size < 126:
            head = bytes([0x81, 0x80 | size])
        elif size >= 1 << 16:
            head = bytes([0x81, 0x80 | 127]) + size.to_bytes(8, "big")
        self._socket.sendall(head + bytes(4) + data)  # a mask of zeros leaves the data as they are

    def _receive(self) -> bytes:
        whole = b""
        while True:
            first, size = self._file.read(2)
            if size >= 126:
                size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
            whole += self._file.read(size)
            if first & 0x80:
                return whole

    def close(self) -> None:
        """Let go of the tab."""
        self._file.close()
        self._socket.close()


@contextmanager
def browser() -> Iterator[Page]:
    """A fresh Chromium with one empty tab of 1200 x 900 pixels; ended at the end."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "--window-size=1200,900", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page = Page(_tab(Path(profile) / "DevToolsActivePort"))
            try:
                yield page
            finally:
                page.close()
        finally:
            process.terminate()
            process.wait()


def _tab(ports: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not ports.exists() or not ports.read_text():
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    port = ports.read_text().splitlines()[0]
    with urlopen(Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT"), timeout=PATIENCE_S) as tab:
        address: str = json.load(tab)["webSocketDebuggerUrl"]
    return address
