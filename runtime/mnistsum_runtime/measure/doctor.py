"""What could keep mnistsum from running on this device, found without breaking on it.

Nothing here imports numpy, onnxruntime or Pillow: a child process does, so that a missing package or an illegal
instruction ends the child and becomes a sentence.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mnistsum_runtime.measure.death import describe_death
from mnistsum_runtime.measure.device import Device
from mnistsum_runtime.measure.known import Tried, known_of

Verdict = Literal["ok", "warning", "problem"]

_OLDEST_GLIBC = (2, 27)
_WANTED_GLIBC = (2, 28)
_OLDEST = {"onnxruntime": (1, 15), "numpy": (1, 26), "Pillow": (10, 1), "click": (8, 1)}
"""The bounds of pyproject.toml; a test compares them."""
_FOR_NUMPY_2 = (1, 19)
"""The first onnxruntime that works with numpy 2."""
_LITTLE_MEMORY = 300_000_000
_PATIENCE = 120
"""Seconds for the child: a Pi under emulation takes ten."""
_MEGABYTE = 1_000_000
_HAVE_WHEELS = ("x86_64", "AMD64", "aarch64", "arm64", "ARM64")
"""Machines that onnxruntime has wheels for, if their system is of 64 bits."""
_DEBIAN = (
    "no wheel fits, but Debian 13 (trixie) has it, bookworm has not: sudo apt install python3-onnxruntime "
    "python3-numpy python3-pil python3-click, then a virtual environment with --system-site-packages "
    "(runtime/platforms.md)"
)
_OR_64_BIT = "; or install the 64-bit Raspberry Pi OS on a Pi 3, 4, 5 or Zero 2 W"
_WHEELS = "install wheels instead, in a virtual environment without --system-site-packages (runtime/platforms.md)"
_ARMV6 = "no onnxruntime is known for ARMv6 (Pi 1, Zero, Zero W): take a Zero 2 W or a Pi 2 or later"


@dataclass(frozen=True)
class Check:
    """One line of the page."""

    name: str
    found: str
    verdict: Verdict = "ok"
    advice: str | None = None
    """What to do, where the verdict is not `ok`."""

    def to_dict(self) -> dict[str, str | None]:
        """As plain JSON values."""
        return {"check": self.name, "found": self.found, "verdict": self.verdict, "advice": self.advice}


@dataclass(frozen=True)
class Trial:
    """What became of a child process that opened the model and asked it once."""

    reached: dict[str, str]
    """What the child said at each of `STAGES` that it reached, in order."""
    error: str | None
    """Why it went no further, None if it did all."""


STAGES = {
    "numpy": "importing numpy",
    "Pillow": "importing Pillow",
    "onnxruntime": "importing onnxruntime",
    "model": "opening the model",
    "inference": "running the network",
}
"""What the child does, in order."""

_CHILD = "from mnistsum_runtime.measure.trial import main; main()"
"""The program of the child."""


def examine(
    device: Device, versions: dict[str, str | None], trial: Trial, origin: str = "", tried: Sequence[Tried] = ()
) -> list[Check]:
    """The whole page, from what was found.

    Args:
        device: This one.
        versions: Of what is installed.
        trial: What became of the child.
        origin: Where the installed onnxruntime is from.
        tried: What is known of it on other boards.
    """
    packages = check_packages(versions, device, origin, tried)
    return [*check_device(device), *packages, *check_trial(trial, versions["onnxruntime"])]


def check_device(device: Device) -> Iterator[Check]:
    """Python, machine, system, C library, cores, memory."""
    python = ".".join(map(str, device.python))
    if device.python < (3, 11):
        yield Check("Python", python, "problem", "mnistsum needs Python 3.11 or later")
    else:
        yield Check("Python", python)
    machine = f"{device.machine}, {device.board}" if device.board else device.machine
    if device.machine.startswith("armv6"):
        yield Check("machine", machine, "problem", _ARMV6)
    else:
        yield Check("machine", machine)
    if device.bits == 64:
        yield Check("system", f"{device.system}, 64-bit")
    elif is_32_bit_arm(device):
        kernel = " programs on a 64-bit kernel" if device.machine in _HAVE_WHEELS else ""
        yield Check("system", f"{device.system}, 32-bit{kernel}")
    else:
        advice = "no onnxruntime is known for it: install a 64-bit system"
        yield Check("system", f"{device.system}, 32-bit", "problem", advice)
    if device.system == "Linux":
        yield _check_libc(device.libc)
    yield Check("cores", str(device.cores))
    if device.memory is not None:
        memory = f"{device.memory // _MEGABYTE:,} MB"
        if device.memory < _LITTLE_MEMORY:
            yield Check("memory", memory, "warning", "one process takes about 70 MB: let little else run beside it")
        else:
            yield Check("memory", memory)


def is_32_bit_arm(device: Device) -> bool:
    """Whether the programs are those of a 32-bit Arm system; the kernel may be of 64 bits."""
    return device.bits == 32 and device.machine.startswith(("arm", "aarch64"))


def _check_libc(libc: tuple[str, str]) -> Check:
    name, version = libc
    found = f"{name} {version}".strip()
    if name != "glibc":
        advice = "onnxruntime's wheels are built for glibc: use Debian or Raspberry Pi OS instead of Alpine (musl)"
        return Check("C library", found or "not glibc", "problem", advice)
    if _numbers(version) < _OLDEST_GLIBC:
        return Check("C library", found, "problem", "onnxruntime's wheels need glibc 2.27: install a newer system")
    if _numbers(version) < _WANTED_GLIBC:
        return Check(
            "C library", found, "warning", "newer onnxruntime wheels need glibc 2.28: pip installs an older one"
        )
    return Check("C library", found)


def check_packages(
    versions: dict[str, str | None], device: Device, origin: str = "", tried: Sequence[Tried] = ()
) -> Iterator[Check]:
    """Installed versions against what mnistsum needs and what is known to be bad; see `examine`."""
    for package, version in versions.items():
        name = f"{package} installed"
        if version is None:
            yield Check(name, "no", "problem", _how_to_get(package, device))
        elif package in _OLDEST and _numbers(version) < _OLDEST[package]:
            oldest = ".".join(map(str, _OLDEST[package]))
            yield Check(name, version, "problem", f"mnistsum needs {oldest} or later: pip install --upgrade {package}")
        elif package == "onnxruntime":
            yield _check_onnxruntime(name, version, versions["numpy"] or "", device, origin, tried)
        else:
            yield Check(name, version)


def _how_to_get(package: str, device: Device) -> str:
    if package != "mnistsum" and (device.bits == 32 or device.machine not in _HAVE_WHEELS):
        if device.machine.startswith("armv6"):
            return _ARMV6
        return _DEBIAN + (_OR_64_BIT if is_32_bit_arm(device) else "")
    return f"pip install {package}, in the environment of {sys.executable}"


def _check_onnxruntime(
    name: str, version: str, numpy: str, device: Device, origin: str, tried: Sequence[Tried]
) -> Check:
    """A version that is new enough, against what is known of it."""
    found = f"{version}, Debian's" if origin == "debian" else version
    machine = "armv7l" if is_32_bit_arm(device) else device.machine.replace("arm64", "aarch64")
    known = known_of(tried, version, origin, machine, device.arm_parts)
    if known is not None:
        failed, here = known
        remedy = _WHEELS if origin == "debian" else _another_onnxruntime(version)
        advice = f"tried on {failed.processor}: {failed.how}; {failed.explanation}: {remedy}"
        return Check(name, found, "problem" if here else "warning", advice)
    if origin != "debian" and _numbers(version) < _FOR_NUMPY_2 and _numbers(numpy) >= (2,):
        return Check(name, found, "problem", "before 1.19 it was built for numpy 1: pip install 'numpy<2'")
    return Check(name, found)


def _another_onnxruntime(version: str | None) -> str:
    but = f"'onnxruntime!={version}'" if version else "onnxruntime"
    return f"install another version: pip install {but} --upgrade"


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: `1.21.0rc1` gives (1, 21)."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        parts.append(int(part))
    return tuple(parts)


def check_trial(trial: Trial, onnxruntime: str | None = None) -> Iterator[Check]:
    """What the child process did, and at which step it ended; with the version of onnxruntime that is installed."""
    for stage, doing in STAGES.items():
        if stage in trial.reached:
            yield Check(doing, trial.reached[stage])
        else:
            yield Check(doing, trial.error or "not reached", "problem", _advice(stage, trial.error or "", onnxruntime))
            return


def _advice(stage: str, error: str, onnxruntime: str | None) -> str:
    if "illegal instruction" in error:
        if stage in ("numpy", "Pillow"):
            return f"this {stage} was built for a newer processor: install another version of {stage}"
        return f"this onnxruntime was built for a newer processor: {_another_onnxruntime(onnxruntime)}"
    if stage == "model":
        return "reinstall mnistsum, or name a model made by mnistsum-export"
    package = stage if stage in _OLDEST else "onnxruntime"
    return f"pip install --force-reinstall {package}, in the environment of {sys.executable}"


def try_model(model: str | None, operation: str | None = None, child: str = _CHILD) -> Trial:
    """Open the model and ask it once, in a child process that may die.

    Args:
        model: A model as the user names it; None is the shipped one.
        operation: Of the shipped models, which; None is the sum.
        child: The program of the child; it prints a JSON list [stage, found] for each of `STAGES`.
    """
    try:
        result = subprocess.run(  # noqa: S603  (this Python, a program from here, no shell)
            [sys.executable, "-P", "-c", child, json.dumps([model, operation])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return Trial(_reached(said if isinstance(said, str) else said.decode()), f"no end after {_PATIENCE} s")
    return Trial(_reached(result.stdout), _why(result.returncode, result.stderr))


def _reached(output: str) -> dict[str, str]:
    """What the child said; a library may print other things between."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        try:
            said: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, list) and len(said) == 2 and isinstance(said[0], str) and said[0] in STAGES:
            found[said[0]] = str(said[1])
    return found


def _why(code: int, errors: str) -> str | None:
    """A sentence for how the child ended."""
    if code == 0:
        return None
    died = describe_death(code)
    if died is not None:
        return f"the process died of {died}"
    lines = errors.strip().splitlines()
    return lines[-1] if lines else f"the process ended with {code}"
