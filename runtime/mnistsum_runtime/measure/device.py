"""What this device is, as the standard library and /proc tell it: no numpy, no onnxruntime."""

import os
import platform
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch
from typing import Any

PACKAGES = ("mnistsum", "onnxruntime", "numpy", "Pillow", "click")
"""Everything that takes part in an answer, by its name on the package index."""


@dataclass(frozen=True)
class Device:
    """The facts that decide which wheels fit and how fast they are."""

    python: tuple[int, int, int]
    """Version of the interpreter."""
    system: str
    """`Linux`, `Darwin`, `Windows`."""
    machine: str
    """The kernel's architecture: `x86_64`, `aarch64`, `armv7l`; it says nothing of the programs."""
    bits: int
    """32 or 64: the size of a pointer in this Python, thus of the installed system."""
    libc: tuple[str, str]
    """Name and version of the C library, `("glibc", "2.36")`; empty where it does not say."""
    board: str
    """`Raspberry Pi 4 Model B Rev 1.4` or the processor's name; empty if unknown."""
    arm_parts: frozenset[int]
    """Part numbers of Arm's own cores: 0xd08 is a Cortex-A72. Empty on other processors."""
    cores: int
    """How many this process may use."""
    memory: int | None
    """Bytes, of the whole machine."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "python": ".".join(map(str, self.python)),
            "system": self.system,
            "machine": self.machine,
            "bits": self.bits,
            "libc": " ".join(self.libc).strip(),
            "board": self.board,
            "cores": self.cores,
            "memory_mb": self.memory and round(self.memory / 1e6),
        }


def this_device() -> Device:
    """Look at the machine that this process runs on."""
    cpuinfo = _read("/proc/cpuinfo")
    return Device(
        python=sys.version_info[:3],
        system=platform.system(),
        machine=platform.machine(),
        bits=8 * struct.calcsize("P"),
        libc=platform.libc_ver(),
        board=_board(cpuinfo),
        arm_parts=arm_parts(cpuinfo),
        cores=_cores(),
        memory=_memory(),
    )


def describe_host() -> dict[str, str]:
    """What tells this device from the others of a fleet: its name in the network, and its board; empty if unknown."""
    return {"host": platform.node(), "board": _board(_read("/proc/cpuinfo"))}


def installed_versions() -> dict[str, str | None]:
    """The installed version of each of `PACKAGES`, None where it is missing; nothing is imported."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def origin_of(package: str) -> str:
    """Where an installed package is from: `wheel`, or `debian` if apt has installed it; empty where that is unclear."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution(package)
    except PackageNotFoundError:
        return ""
    if found.read_text("WHEEL") is not None:
        return "wheel"
    return "debian" if Path(str(found.locate_file(""))).name == "dist-packages" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(cpuinfo: str, name: str) -> list[str]:
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return [value.strip() for key, _, value in lines if key.strip() == name]


def _board(cpuinfo: str) -> str:
    model = _read("/proc/device-tree/model").rstrip("\0")
    names = [model, *_field(cpuinfo, "model name"), platform.processor()]
    return next((name for name in names if name and name != platform.machine()), "")


def arm_parts(cpuinfo: str) -> frozenset[int]:
    """Arm's own part numbers in the text of /proc/cpuinfo, for example 0xd08 (Cortex-A72)."""
    makers, parts = _field(cpuinfo, "CPU implementer"), _field(cpuinfo, "CPU part")
    return frozenset(
        int(part, 16)
        for maker, part in zip(makers, parts, strict=False)
        if maker == "0x41" and fullmatch("0x[0-9a-fA-F]+", part)
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
