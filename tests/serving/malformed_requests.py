"""A request for the campaign, and the pieces that its kinds are made of."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

TOKEN = "correct-horse-battery"
INFER = "/v2/models/sum/infer"
READ = "/read?number=4"


@dataclass(frozen=True)
class Malformed:
    """What is sent over one connection."""

    data: bytes
    whole: bool = True
    """Whether the server has all that it needs to answer."""
    answers: int = 1
    """How many are waited for."""
    also: frozenset[int] = frozenset()
    """Answers that are right beside 4xx, 501 and 505."""


Kind = Callable[[Random], Malformed]


def post(path: str, body: bytes, *lines: str | bytes, token: str | None = TOKEN) -> bytes:
    """A request with a body, in order but for its own lines."""
    head = [f"POST {path} HTTP/1.1", "Host: a", *lines]
    if token is not None:
        head.append(f"Authorization: Bearer {token}")
    if not any(_text(line).lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    head.append("\r\n")
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode("latin-1") for line in head) + body


def _text(line: str | bytes) -> str:
    return line if isinstance(line, str) else line.decode("latin-1")


def noise(random: Random, most: int) -> bytes:
    return random.randbytes(random.randint(1, most))


def word(random: Random, most: int) -> str:
    return "".join(random.choices(string.ascii_letters, k=random.randint(1, most)))
