"""Bytes to a server over a bare socket, and the statuses of what comes back."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from mnistsum_runtime.serve.settings import Limits

_LIMITS = Limits()
LIMIT = _LIMITS.header_seconds + _LIMITS.body_seconds + _LIMITS.work_seconds
"""Within so many seconds every connection is answered or closed."""


class Ending(Enum):
    """What a client does when it has said everything."""

    READ = "reads"
    HALF = "says that it says no more, and reads"
    CLOSE = "goes"


@dataclass
class Outcome:
    """What came back."""

    statuses: list[int] = field(default_factory=list)
    strange: str | None = None
    """What no server may do."""
    gone: bool = False
    """The client did not wait."""

    @property
    def word(self) -> str:
        if self.strange is not None:
            return "fault"
        if self.gone:
            return "went"
        return str(self.statuses[0]) if self.statuses else "closed"


async def send(port: int, data: bytes, ending: Ending, answers: int = 1) -> Outcome:
    """Send bytes over a connection of their own, and read so many answers."""
    outcome = Outcome()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(LIMIT + 2):
            reading = asyncio.create_task(_read(reader, outcome, answers))
            with suppress(OSError):  # the server has closed already
                writer.write(data)
                await writer.drain()
                if ending is Ending.HALF:
                    writer.write_eof()
            if ending is Ending.CLOSE:
                outcome.gone = True
                reading.cancel()
            await asyncio.wait([reading])
    except TimeoutError:
        outcome.strange = f"neither answered nor closed after {time.monotonic() - begun:.0f} s"
    finally:
        writer.transport.abort()
    return outcome


async def _read(reader: asyncio.StreamReader, outcome: Outcome, answers: int) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        await _read_answers(reader, outcome, answers)


async def _read_answers(reader: asyncio.StreamReader, outcome: Outcome, answers: int) -> None:
    while len(outcome.statuses) < answers:
        head = await reader.readuntil(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        if status is None:
            outcome.strange = f"no answer of HTTP: {head[:60]!r}"
            return
        if status[1].startswith(b"1"):
            continue
        outcome.statuses.append(int(status[1]))
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
        await (reader.readexactly(int(length[1])) if length else reader.read())


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send a request that says `Connection: close`; status and body of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(LIMIT):
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.transport.abort()
    return int(head.split()[1]) if head else 0, body
