"""Everything that can be set about a server, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What a request may cost. The values are those of a small device; what is over one is refused."""

    body: int = 10_000_000
    """Bytes of a request's body: a phone's photo has 3 to 8 million."""
    passed_by: int = 64_000_000
    """Bytes of a body that is too large are read past so far, so that its client gets to see the answer: one that is
    still sending when the connection closes does not."""
    bodies: int = 64_000_000
    """Bytes of all bodies together, until their requests are answered; one more is told to come back later."""
    header: int = 16_384
    """Bytes of the request line and all headers together."""
    pipelined: int = 64
    """Requests of one connection that come before the one ahead of them is answered; one more closes it."""
    batch: int = 64
    """Rows of one inference request."""
    connections: int = 256
    """Open connections; one more is told to come back later."""
    queue: int = 64
    """Requests that wait for a worker; one more is told to come back later."""
    per_client: int = 32
    """Of these and of those in work, how many may be one address's."""
    header_seconds: float = 5.0
    """From a connection's first moment, or its last answer, until a request's headers are there."""
    body_seconds: float = 15.0
    """From then until its body is there."""
    work_seconds: float = 10.0
    """Waiting and work together."""
    answer_seconds: float = 15.0
    """For the answer to be taken by the client."""
    stop_seconds: float = 5.0
    """After a signal to stop, for what was accepted to be answered."""


@dataclass(frozen=True)
class Settings:
    """What `mnistsum-serve` was asked for."""

    host: str = "127.0.0.1"
    """Address to listen on; the loopback one is reached from this machine alone."""
    port: int = 8000
    """0 lets the system choose one."""
    workers: int = 2
    """Threads that decode, prepare and answer."""
    token: bytes | None = None
    """What a client must show, if anything."""
    cors: str | None = None
    """The origin whose pages may ask from a browser, beside our own; `*` is any."""
    frames: str | None = None
    """A command that writes JPEG pictures one after the other, as cameras' programs do."""
    number: int = 0
    """The second number of the frames."""
    log: str = "text"
    """`text` or `json`: a line for each request, on standard error."""
    limits: Limits = field(default_factory=Limits)


def read_token(path: Path) -> bytes:
    """The token in a file, without the white space around it.

    Raises:
        CallError: It cannot be read, or holds nothing that a header could carry.
    """
    from mnistsum_runtime.errors import CallError

    try:
        with path.open("rb") as file:
            token = file.read(4097).strip()
    except OSError as error:
        raise CallError(f"--token {path}: cannot be read: {error.strerror or error}") from error
    if not 8 <= len(token) <= 4096 or not all(33 <= byte <= 126 for byte in token):
        raise CallError(f"--token {path}: expected 8 to 4096 printable characters without spaces")
    return token
