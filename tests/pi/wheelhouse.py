"""One folder with all that a 64-bit Raspberry Pi needs, for an installation with or without a network.

Usage: python -m pi.wheelhouse [--out FOLDER] [--python VERSION]... (with tests/ on PYTHONPATH)
"""

import hashlib
import secrets
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click

from child_process import run_well
from pi.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "runtime" / "requirements-pi.txt"
EXTRA = "serve"
"""Installed on a Pi too: a camera is answered by mnistsum-serve."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Of bookworm and trixie, and what else somebody may have installed there."""
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
"""What bookworm's C library (2.36) and newer ones run; pip takes no "or older" for another machine's platform."""
REQUIREMENTS = "requirements.txt"
PICTURE = ROOT / "artifacts/samples/seven.png"
"""What the lines of runtime/platforms.md ask about."""


def build_wheel(folder: Path) -> Path:
    """Build mnistsum's own wheel from this checkout.

    Raises:
        click.ClickException: It cannot be built.
    """
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run_well([*pip, "--no-deps", "--wheel-dir", folder, ROOT])
    (wheel,) = folder.glob("mnistsum-*.whl")
    return wheel


def for_python(python: str) -> list[str]:
    """Options of pip for wheels of a Pi with this Python."""
    platforms = [text for platform in PLATFORMS for text in ("--platform", platform)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]


def to_text(hashes: Mapping[str, Collection[str]]) -> str:
    """Requirements as pip reads them, with a line for each SHA-256 that they may have; by `name==version`."""
    entries = [[requirement, *sorted(hashes[requirement])] for requirement in sorted(hashes)]
    return "".join(" \\\n    --hash=sha256:".join(entry) + "\n" for entry in entries)


def fill_wheelhouse(folder: Path, pythons: Sequence[str]) -> Path:
    """Put mnistsum's wheel, all that it needs, the list of both and a picture into an empty folder.

    Each wheel must have its SHA-256 of `requirements-pi.txt`.

    Returns:
        mnistsum's own wheel.

    Raises:
        click.ClickException: A wheel cannot be had, or is another one than was listed.
    """
    wheel = build_wheel(folder)
    for python in pythons:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        run_well([*pip, "--dest", folder, *for_python(python), "--require-hashes", "--requirement", LOCK])
    own = f"mnistsum[{EXTRA}]=={wheel.name.split('-')[1]}"
    listed = to_text({own: {hashlib.sha256(wheel.read_bytes()).hexdigest()}}) + LOCK.read_text(encoding="utf-8")
    (folder / REQUIREMENTS).write_text(listed, encoding="utf-8")
    shutil.copy(PICTURE, folder)
    return wheel


def is_ours(path: Path) -> bool:
    """Whether a file may be replaced: what an earlier run has made."""
    return path.suffix == ".whl" or path.name in (REQUIREMENTS, PICTURE.name)


@click.command("wheelhouse")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "wheelhouse", help="The folder to make anew.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    type=click.Choice(PYTHONS),
    default=tuple(dict.fromkeys(system.python for system in SYSTEMS)),
    show_default=True,
    help="Python version of the Pi.",
)
def command(out: Path, pythons: tuple[str, ...]) -> None:
    """Make one folder with mnistsum's wheel, every aarch64 wheel that it needs, their hashes, and a picture."""
    strangers = sorted(path.name for path in out.iterdir() if not is_ours(path)) if out.exists() else []
    if strangers:
        raise click.ClickException(f"{out} has {strangers[0]} in it, which is not from here: name another folder")
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    beside.mkdir(parents=True)
    try:
        fill_wheelhouse(beside, pythons)
        shutil.rmtree(out, ignore_errors=True)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    wheels = sorted(out.glob("*.whl"))
    for wheel in wheels:
        click.echo(wheel.name)
    click.echo(f"{out}: {len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.0f} MB")


if __name__ == "__main__":
    command()
