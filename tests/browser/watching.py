"""A running server and a page of it, as the tests watch them."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "runs" / "browser"


@dataclass
class Server:
    """A running `mnistsum-serve`."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@dataclass
class Watched:
    """A page, and what it asked and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    """Method and path of each."""
    hosts: set[str] = field(default_factory=set)
    console: list[str] = field(default_factory=list)
    """Warnings and errors, without the browser's own line for each answer that is an error."""

    def note(self, method: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data"):
            self.hosts.add(parts.netloc)
            self.requests.append(f"{method} {parts.path}")

    def reads(self) -> int:
        """How many pictures were sent."""
        return sum(request.startswith("POST /read") for request in self.requests)


StartServer = Callable[..., Server]
"""Starts a server with options as on the command line."""
OpenPage = Callable[..., Watched]
"""Opens a server's page, `width` times `height` pixels, in a browser with playwright's options of a context."""


def keep_screenshot(page: Page, name: str) -> None:
    """Into runs/browser/, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def record(name: str, value: object) -> None:
    """Keep what was measured, beside the screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with (SCREENSHOTS / "measured.txt").open("a", encoding="utf-8") as file:
        file.write(f"{name}: {value}\n")
