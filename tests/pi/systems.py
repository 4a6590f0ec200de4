"""The two systems that Raspberry Pis run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A Debian release on a board."""

    suite: str
    """Debian's name of the release; Raspberry Pi OS is built on it."""
    python: str
    """Its Python."""
    board: str
    processor: str
    """As QEMU names it."""

    def __str__(self) -> str:
        """For tables."""
        return f"{self.board} ({self.processor}), {self.suite}"


SYSTEMS = (
    System("bookworm", "3.11", "Pi 4", "cortex-a72"),
    System("trixie", "3.13", "Pi 5", "cortex-a76"),
)
