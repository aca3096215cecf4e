# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drive a headless Chromium through its DevTools pipe: open a file, hear its complaints, measure, photograph, print.

Needs nothing but the browser: two file descriptors and JSON messages that end with NUL.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip


def find_browser() -> str | None:
    """Path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One browser with one page. ``complaints`` and ``requests`` are those of the page opened last."""

    def __init__(self, program: str) -> None:
        self.home = tempfile.mkdtemp(prefix="keepwell-browser-")
        to_read, self._writer = os.pipe()
        self._reader, to_write = os.pipe()
        # Above 3 and 4, so that the copies do not overwrite each other.
        command_end, answer_end = os.dup2(to_read, 20, False), os.dup2(to_write, 21, False)

        def wire() -> None:
            os.dup2(command_end, 3)
            os.dup2(answer_end, 4)

        self.process = subprocess.Popen(
            [program, f"--user-data-dir={self.home}", *_ARGUMENTS],
            preexec_fn=wire, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for descriptor in (to_read, to_write, command_end, answer_end):
            os.close(descriptor)
        self._buffer = b""
        self._number = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        target = self._call("Target.createTarget", {"url": "about:blank"}, page=False)["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True}, page=False)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._writer)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait(10)
        os.close(self._reader)
        shutil.rmtree(self.home, ignore_errors=True)

    def open(
        self, path: Path, width: int = 1280, height: int = 900, *, dark: bool = False, scale: float = 1, media: str = ""
    ) -> None:
        """Open a file and wait until it is loaded."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self._call(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600},
        )
        self._call("Page.navigate", {"url": "about:blank"})
        self.complaints, self.requests, self._loaded = [], [], False
        self._call("Page.navigate", {"url": path.resolve().as_uri()})
        deadline = time.monotonic() + 30
        while not self._loaded:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} did not load")
            self._take()
        # Complaints travel on a road of their own and may come after the page says that it is loaded.
        self.evaluate("1")
        self.listen(0.15)

    def listen(self, seconds: float) -> None:
        """Take what the browser says until it has been silent for so long."""
        while b"\0" in self._buffer or select.select([self._reader], [], [], seconds)[0]:
            self._take()

    def evaluate(self, expression: str) -> t.Any:
        """Value of a JavaScript expression, of what it promises if need be (the page itself runs none)."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", options)
        if "exceptionDetails" in answer:
            raise ValueError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def photograph(self, target: Path, *, whole: bool = True) -> None:
        """Save a PNG."""
        answer = self._call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        target.write_bytes(base64.b64decode(answer["data"]))

    def print(self, target: Path) -> None:
        """Save a PDF as the page's own print rules want it."""
        answer = self._call("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
        target.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, parameters: dict[str, t.Any] | None = None, *, page: bool = True) -> dict[str, t.Any]:
        self._number += 1
        message: dict[str, t.Any] = {"id": self._number, "method": method, "params": parameters or {}}
        if page:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._take()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise ValueError(f"{method}: {answer['error']}")
                return t.cast(dict[str, t.Any], answer["result"])

    def _take(self) -> dict[str, t.Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._reader, 1 << 20)
            if not piece:
                raise ConnectionError("the browser went away")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        event: dict[str, t.Any] = json.loads(message)
        about = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Log.entryAdded":
                self.complaints.append(about["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Page.javascriptDialogOpening":
                self.complaints.append(json.dumps(about)[:500])
            case "Audits.issueAdded":
                self.complaints.append(about["issue"]["code"])
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
        return event
