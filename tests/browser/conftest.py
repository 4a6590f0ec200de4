"""Debian's chromium, without a screen, on the page of a real `mnistsum-serve`."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, expect, sync_playwright

from browser.watching import OpenPage, Server, StartServer, Watched

READY = "serving http://"


def _start(log: Path, *options: str) -> Server:
    command = [sys.executable, "-m", "mnistsum_runtime.commands.serve", *options]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors, stdout=subprocess.DEVNULL)
    last = time.monotonic() + 60
    while time.monotonic() < last:
        written = log.read_text(encoding="utf-8")
        if process.poll() is not None:
            break
        if READY in written and written.split(READY)[1].count("\n"):
            return Server("http://" + written.split(READY)[1].split()[0], process)
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start: {written}")


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers with the options that it is called with; they end with the test."""
    servers: list[Server] = []

    def start(*options: str, port: int = 0) -> Server:
        server = _start(tmp_path / f"server-{len(servers)}.log", "--port", str(port), *options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it starts without options; of all tests of a file."""
    running = _start(tmp_path_factory.mktemp("server") / "server.log", "--port", "0")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; of a file's tests alone, since playwright's event loop runs in this thread while it is open."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium, or make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens a server's page in a browser of its own; that it asked no other host and raised nothing is checked."""
    opened: list[Watched] = []

    def start(server: Server, width: int = 1280, height: int = 800, wait: bool = True, **options: object) -> Watched:
        viewport = {"width": width, "height": height}
        context = chromium.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        watched = Watched(context.new_page())
        opened.append(watched)

        def complain(message: ConsoleMessage) -> None:
            expected = (
                "Failed to load resource",
                "Canvas2D: Multiple readback",
            )  # the second: tests that look at pixels
            if message.type in ("warning", "error") and not message.text.startswith(expected):
                watched.console.append(message.text)

        def complain_of_error(error: Error) -> None:
            watched.console.append(str(error))

        watched.page.on("console", complain)
        watched.page.on("pageerror", complain_of_error)
        watched.page.on("request", lambda request: watched.note(request.method, request.url))
        watched.page.goto(server.url)
        if wait:
            expect(watched.page.locator("#about")).not_to_be_empty()
        return watched

    yield start
    for watched in opened:
        host = urlsplit(watched.page.url).netloc
        assert watched.console == []
        assert watched.hosts <= {host}
        watched.page.context.close()
