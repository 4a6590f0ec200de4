"""Debian's Firefox without a screen, asked over Marionette: its own protocol, which needs no driver beside it.

A message is its length, a colon, and JSON: `[0, number, command, parameters]` there, `[1, number, error, result]` back.
"""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser.pens import DIGITS, Stroke, smooth

WATCH = """
const window = Services.wm.getMostRecentWindow(null);
window.seen = [];
Services.obs.addObserver({
    observe(subject) {
        const channel = subject.QueryInterface(Ci.nsIChannel);
        if (channel.loadInfo?.browsingContextID) window.seen.push(channel.URI.spec);
    },
}, "http-on-opening-request");
"""
"""Every request over HTTP that a page makes is noted from then on; what Firefox asks for itself is of no page."""


class Firefox:
    """A running browser with one page."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._answers = self._socket.makefile("rb")
        self._number = 0
        self._read()  # it introduces itself
        self.call("WebDriver:NewSession", capabilities={})

    def call(self, command: str, **parameters: object) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._read()
        assert number == self._number
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result

    def _read(self) -> Any:
        length = b""
        while (character := self._answers.read(1)) != b":":
            length += character
        return json.loads(self._answers.read(int(length)))

    def close(self) -> None:
        self.call("Marionette:Quit", flags=["eForceQuit"])
        self._answers.close()
        self._socket.close()

    def watch_requests(self) -> None:
        self._in_chrome(WATCH)

    def requests(self) -> list[str]:
        """Over HTTP, since `watch_requests`."""
        return list(self._in_chrome("return Services.wm.getMostRecentWindow(null).seen;"))

    def _in_chrome(self, script: str) -> Any:
        self.call("Marionette:SetContext", value="chrome")
        try:
            return self.evaluate(script)
        finally:
            self.call("Marionette:SetContext", value="content")

    def open(self, url: str) -> None:
        self.call("WebDriver:Navigate", url=url)

    def evaluate(self, script: str) -> Any:
        return self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def text(self, selector: str) -> str:
        return str(self.evaluate(f"return document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def wait_for(self, selector: str, text: str) -> None:
        """Until the element says it."""
        last = time.monotonic() + 30
        while text not in self.text(selector):
            assert time.monotonic() < last, f"{selector} says {self.text(selector)!r}, not {text!r}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def draw(self, digit: int) -> None:
        """Write a digit with the mouse."""
        script = (
            "const box = document.querySelector('#canvas').getBoundingClientRect(); return [box.x, box.y, box.width]"
        )
        left, top, side = self.evaluate(script)
        for stroke in DIGITS[digit]:
            self._follow([(left + side * x, top + side * y) for x, y in smooth(stroke)])

    def _follow(self, path: Stroke) -> None:
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0} for x, y in path]
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        mouse = {"type": "pointer", "id": "mouse", "actions": [moves[0], down, *moves[1:], up]}
        self.call("WebDriver:PerformActions", actions=[mouse])

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("WebDriver:TakeScreenshot", full=True)["value"]))


def installed() -> str | None:
    """Where it is."""
    return shutil.which("firefox-esr")


@contextmanager
def running_firefox() -> Iterator[Firefox]:
    """A Firefox with a new profile, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        folder = Path(profile)
        (folder / "user.js").write_text('user_pref("marionette.port", 0);\n', encoding="utf-8")
        options = ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile]
        command = [str(installed()), *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet, env={"HOME": profile, "PATH": "/usr/bin:/bin"})  # type: ignore[call-overload]
        try:
            firefox = Firefox(_port(folder / "MarionetteActivePort", process))
            yield firefox
            firefox.close()
        finally:
            process.terminate()
            process.wait(30)


def _port(file: Path, process: "subprocess.Popen[bytes]") -> int:
    last = time.monotonic() + 60
    while time.monotonic() < last and process.poll() is None:
        if file.exists() and (written := file.read_text(encoding="ascii")):
            return int(written)
        time.sleep(0.05)
    raise AssertionError("Firefox did not start")
