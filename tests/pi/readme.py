"""The shell lines of runtime/platforms.md for the Raspberry Pi."""

import re
from dataclasses import dataclass

HEADING = "On a Raspberry Pi"
WITH_NETWORK = "With a network"
WITHOUT_NETWORK = "Without a network"
DEBIAN = "With Debian's own packages, 32-bit too"


@dataclass(frozen=True)
class Lines:
    """What the section tells to type on the Pi: everything in its `sh` blocks."""

    first: str
    """Before the ways part."""
    with_network: str
    """Under the heading `WITH_NETWORK`."""
    without_network: str
    """Under the heading `WITHOUT_NETWORK`."""
    debian: str
    """Under the heading `DEBIAN`."""


def read_lines(readme: str) -> Lines:
    """Find the lines in the text of the page.

    Raises:
        ValueError: The section, one of its parts, or the lines of a part are not there.
    """
    section = re.search(rf"^## {HEADING}$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if section is None:
        raise ValueError(f"runtime/platforms.md has no section {HEADING!r}")
    first, *rest = re.split(r"^### (.*)$", section[1], flags=re.MULTILINE)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    return Lines(
        _blocks(first, HEADING),
        _blocks(parts.get(WITH_NETWORK, ""), WITH_NETWORK),
        _blocks(parts.get(WITHOUT_NETWORK, ""), WITHOUT_NETWORK),
        _blocks(parts.get(DEBIAN, ""), DEBIAN),
    )


def _blocks(text: str, heading: str) -> str:
    found = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    if not found:
        raise ValueError(f"runtime/platforms.md has no sh block under {heading!r} of {HEADING!r}")
    return found
