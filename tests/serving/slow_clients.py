"""Clients that say a byte a second, or nothing: a server must not wait for them for long."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from mnistsum_runtime.serve.settings import Limits
from serving.malformed_requests import READ, TOKEN

_HEAD = f"POST {READ} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 5000\r\n".encode()
_LATE = 3.0
"""Seconds after its limit in which a busy server may still be closing."""


@dataclass(frozen=True)
class Slow:
    """What a client says at once, and how often it says another byte."""

    said: bytes
    dripping: bool
    limit: float
    """Seconds in which it must be answered or closed."""


_TO_HEADERS = Limits().header_seconds
_TO_BODY = _TO_HEADERS + Limits().body_seconds
KINDS = {
    "silent": Slow(b"", False, _TO_HEADERS),
    "headers, a byte a second": Slow(_HEAD + b"X: ", True, _TO_HEADERS),
    "headers, then silent": Slow(_HEAD, False, _TO_HEADERS),
    "body, a byte a second": Slow(_HEAD + b"\r\n", True, _TO_BODY),
    "body, then silent": Slow(_HEAD + b"\r\nhello", False, _TO_BODY),
}


@dataclass
class SlowClients:
    """So many at once, each replaced when it was dropped, until the block ends."""

    port: int
    count: int
    counts: Counter[str] = field(default_factory=Counter)
    """How many were dropped in time, by kind."""
    faults: list[str] = field(default_factory=list)

    async def __aenter__(self) -> SlowClients:
        names = list(KINDS)
        self._tasks = [asyncio.create_task(self._again(names[n % len(names)])) for n in range(self.count)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for found in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(found, Exception):
                self.faults.append(f"a slow client: {found!r}")

    async def _again(self, kind: str) -> None:
        while True:
            slow, begun = KINDS[kind], time.monotonic()
            with suppress(ConnectionError):
                await _be_slow(self.port, slow)
            seconds = time.monotonic() - begun
            if seconds > slow.limit + _LATE:
                self.faults.append(f"a slow client ({kind}) was kept for {seconds:.1f} s")
            self.counts[kind] += 1


async def _be_slow(port: int, slow: Slow) -> None:
    """Return when the server has answered or closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(slow.limit + 3 * _LATE):
            writer.write(slow.said)
            reading = asyncio.create_task(reader.read(1))
            while not (await asyncio.wait([reading], timeout=1.0))[0]:
                if slow.dripping:
                    writer.write(b"a")
            await reading
    except TimeoutError:
        pass
    finally:
        writer.transport.abort()
