"""One folder with every wheel that a 64-bit Raspberry Pi needs, for an installation without a network.

Usage: python -m pi.wheelhouse [--out FOLDER] [--python VERSION]... (with tests/ on PYTHONPATH)
"""

import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from child_process import run_well
from pi.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
"""What bookworm's C library (2.36) and newer ones run; pip takes no "or older" for another machine's platform."""
PYTHONS = tuple(system.python for system in SYSTEMS)


def build_wheel(folder: Path) -> Path:
    """Build mnistsum's own wheel from this checkout.

    Raises:
        click.ClickException: It cannot be built.
    """
    run_well([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT])
    (wheel,) = folder.glob("mnistsum-*.whl")
    return wheel


def fill_wheelhouse(folder: Path, pythons: Sequence[str] = PYTHONS) -> Path:
    """Put mnistsum's wheel and the newest of all that it depends on into an empty folder; mnistsum's own is returned.

    pip evaluates environment markers for this machine; none of the dependencies has one that differs on a Pi, which
    the installation without a network in `pi.run_on_pi` proves.

    Raises:
        click.ClickException: A wheel cannot be had.
    """
    wheel = build_wheel(folder)
    platforms = [text for platform in PLATFORMS for text in ("--platform", platform)]
    for python in pythons:
        options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]
        run_well([sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder, *options, wheel])
    return wheel


@click.command("wheelhouse")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "wheelhouse", help="The folder to make anew.")
@click.option(
    "--python", "pythons", multiple=True, default=PYTHONS, show_default=True, help="Python version of the Pi."
)
def command(out: Path, pythons: tuple[str, ...]) -> None:
    """Make one folder with mnistsum's wheel and every aarch64 wheel that it needs."""
    strangers = sorted(path.name for path in out.iterdir() if path.suffix != ".whl") if out.exists() else []
    if strangers:
        raise click.ClickException(f"{out} has {strangers[0]} in it, which is no wheel: name another folder")
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
