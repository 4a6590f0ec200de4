"""What every campaign is made of: one try, what it may say, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from campaign.forking import Server


class FailedError(Exception):
    """The product did what it must not: the message says what, in a line or some."""


class ApartError(Exception):
    """It holds, but under a condition that the record names apart: the message is the condition."""


class SkippedError(Exception):
    """It cannot be tried on this machine: the message says why."""


@dataclass
class Try:
    """One try of a campaign. All that it decides comes from `random`, so that its index and seed give it again."""

    index: int
    random: Random
    folder: Path
    """Empty at the start. It is kept if the try fails, so all inputs are written here."""
    server: Server
    """Runs the product in processes that may die."""
    figures: Counter[str] = field(default_factory=Counter)
    """Counted beside: answers, kills ... by what they are called in the record."""

    def write(self, name: str, content: bytes) -> Path:
        """Write an input."""
        path = self.folder / name
        path.write_bytes(content)
        return path


@dataclass(frozen=True)
class Campaign:
    """Many tries of one kind."""

    name: str
    what: str
    """A line for the table: what is tried."""
    counts: tuple[int, int, int]
    """Tries in the test suite, by default, and in full."""
    attempt: Callable[[Try], None]
    """Raises `FailedError`, `ApartError` or `SkippedError`; a try that raises nothing has held."""
    preload: str = "runtime"
    """What the server has imported: `runtime` or `torch`."""
    alone: bool = False
    """One try at a time: it has processes of its own."""


def require(condition: object, problem: str) -> None:
    """Raise `FailedError` unless something holds."""
    if not condition:
        raise FailedError(problem)
