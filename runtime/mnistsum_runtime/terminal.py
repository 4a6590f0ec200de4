"""What is written to a terminal: nothing in it may move the cursor or look like a line of ours."""

import os
import sys
from typing import TextIO


def write_error(line: str) -> None:
    """Write a line to standard error, if there is one that takes it: a full disk there changes no exit code.

    Args:
        line: What is not printable in it is shown escaped; see `one_line`.
    """
    if sys.stderr is None:
        return
    try:
        print(one_line(line), file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def one_line(text: str) -> str:
    """A file may be called anything: line breaks, codes for a terminal and bytes that are no text are shown escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shorten(text: str, most: int) -> str:
    """The text with at most so many characters, about: of a longer one, the middle is left out."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 + 5 :]}"


def discard(stream: TextIO) -> None:
    """Let what is still buffered for a stream that failed go nowhere, or Python's exit would fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
