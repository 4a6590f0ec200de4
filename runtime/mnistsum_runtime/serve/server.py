"""Listen, and answer until a signal says to stop."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.serve.connection import connection_class
from mnistsum_runtime.serve.systemd import notify, watchdog_seconds

if TYPE_CHECKING:
    from types import FrameType

    from mnistsum_runtime.serve.application import Application
    from mnistsum_runtime.serve.settings import Settings

_SWITCH_SECONDS = 0.0005
"""How long a thread may compute in Python before the event loop has its turn: a tenth of Python's usual time."""
_BACKLOG = 512
_M_MMAP_THRESHOLD = -3
"""Of mallopt(3)."""
_LARGE = 1_000_000


def listen(settings: Settings) -> socket.socket:
    """A socket that listens, at once.

    Raises:
        WorkError: The port is taken, or not allowed, or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
        # Inherited by its connections; without it an answer waits for the client's next word, 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        reason = (error.strerror or str(error)).split(" (while", maxsplit=1)[0]
        raise WorkError(f"cannot listen on {where}: {reason}: name another --port or --host") from error


def url_of(listening: socket.socket) -> str:
    """Where the server is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(application: Application, listening: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM; what was accepted by then is still answered."""
    limits = application.settings.limits
    for name in ("uvicorn", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # requests and faults are told by the application
    config = uvicorn.Config(
        application,
        http=connection_class(limits),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=round(limits.header_seconds),
        timeout_graceful_shutdown=round(limits.stop_seconds),
        limit_concurrency=None,
    )
    server = _Server(config, application, url_of(listening))
    sys.setswitchinterval(_SWITCH_SECONDS)
    _give_large_pieces_back()
    asyncio.run(server.serve([listening]))


def _give_large_pieces_back() -> None:
    """Let bodies and decoded photos go back to the system when they are freed: glibc keeps what is as large as one."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)


class _Server(uvicorn.Server):
    """Tells that it is ready, and systemd that it lives."""

    def __init__(self, config: uvicorn.Config, application: Application, url: str) -> None:
        super().__init__(config)
        self._application = application
        self._url = url
        self._watchdog: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._application.log.trouble(f"serving {self._url}")
        notify(f"READY=1\nSTATUS=serving {self._url}")
        seconds = watchdog_seconds()
        if seconds is not None:
            self._watchdog = asyncio.create_task(_pat(seconds))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  (of the base class)
        """Stop in order; at once, on a second Ctrl-C. uvicorn's own would raise the signal again at the end."""
        self._application.ready = False
        notify("STOPPING=1")
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


async def _pat(seconds: float) -> None:
    """Tell the watchdog again and again: from the event loop, so that it stops where the loop does."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)
