"""runtime/requirements-pi.txt: every wheel of a 64-bit Raspberry Pi by version and SHA-256, from constraints.txt.

Usage: python -m pi.lock (with tests/ on PYTHONPATH)
"""

import json
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from child_process import run_well
from pi.wheelhouse import EXTRA, LOCK, PYTHONS, ROOT, build_wheel, for_python, to_text

_HEAD = """\
# Every wheel of a 64-bit Raspberry Pi, for Python 3.11 to 3.14, with its SHA-256: versions of constraints.txt, and of
# what those need. Written by `make lock`; `make wheelhouse` puts our own wheel before it.
"""

Hashes = dict[str, set[str]]
"""SHA-256 of its wheels by `name==version`."""


def resolve(wheel: Path, python: str) -> list[dict[str, Any]]:
    """What pip would install beside our wheel on a Pi with this Python; its own report of each.

    pip evaluates environment markers for this machine; none of the dependencies has one that differs on a Pi, which
    the installation without a network in `pi.run_on_pi` proves.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        asked = ["--dry-run", "--ignore-installed", "--target", nowhere, "--report", "-", *for_python(python)]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        said = run_well([*pip, *asked, "--constraint", ROOT / "constraints.txt", f"{wheel}[{EXTRA}]"])
    found: list[dict[str, Any]] = json.loads(said)["install"]
    return [each for each in found if each["metadata"]["name"] != "mnistsum"]


def collect(reports: list[dict[str, Any]]) -> Hashes:
    """The hashes in pip's reports.

    Raises:
        click.ClickException: Two Pythons would get different versions: then one list cannot serve both.
    """
    hashes: Hashes = defaultdict(set)
    for each in reports:
        metadata, archive = each["metadata"], each["download_info"]["archive_info"]
        name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
        hashes[f"{name}=={metadata['version']}"].add(archive["hashes"]["sha256"])
    names = [requirement.partition("==")[0] for requirement in hashes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise click.ClickException(f"{', '.join(twice)}: not the same version for every Python: pin it")
    return hashes


@click.command("lock")
def command() -> None:
    """Write requirements-pi.txt anew, after a change to constraints.txt."""
    with tempfile.TemporaryDirectory() as name:
        wheel = build_wheel(Path(name))
        reports = [each for python in PYTHONS for each in resolve(wheel, python)]
    hashes = collect(reports)
    LOCK.write_text(_HEAD + to_text(hashes), encoding="utf-8")
    click.echo(f"{LOCK.name}: {len(hashes)} packages, {sum(map(len, hashes.values()))} wheels")


if __name__ == "__main__":
    command()
