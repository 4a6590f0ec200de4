"""The systems that Raspberry Pis run."""

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
    architecture: str = "arm64"
    """As Debian names it: `arm64`, `armhf` (32-bit, ARMv7), or `amd64`, which is not emulated."""

    @property
    def machine(self) -> str:
        """As its kernel names it."""
        return {"arm64": "aarch64", "armhf": "armv7l", "amd64": "x86_64"}[self.architecture]

    def __str__(self) -> str:
        """For tables."""
        return f"{self.board} ({self.processor}), {self.suite} {self.architecture}"


SYSTEMS = (
    System("bookworm", "3.11", "Pi 4", "cortex-a72"),
    System("trixie", "3.13", "Pi 5", "cortex-a76"),
)
"""With the wheels of the package index."""
DEBIAN_SYSTEMS = (System("trixie", "3.13", "Pi 2", "cortex-a7", "armhf"),)
"""With Debian's own packages; no wheel of onnxruntime fits them."""
OTHER_DEBIAN_SYSTEMS = (
    System("trixie", "3.13", "Pi 5", "cortex-a76"),
    System("trixie", "3.13", "PC", "host", "amd64"),
)
"""The same packages where they run too: tried on demand. On a 64-bit Pi 3 or 4 their onnxruntime dies."""
