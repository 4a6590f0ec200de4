"""Programs that the slow tests call: their output is kept and shown only when they fail."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

TIMEOUT = 900
"""Seconds; the slowest, a debootstrap over a slow line, takes a fraction of it."""


def run(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; the exit code is the caller's to judge.

    Raises:
        click.ClickException: It cannot be started, or does not end.
    """
    try:
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(str(error)) from error


def run_well(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Standard output of a program that must succeed.

    Raises:
        click.ClickException: It did not; with the end of what it said.
    """
    result = run(command, environment, folder)
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        shown = " ".join(map(str, command))
        raise click.ClickException(f"exit code {result.returncode} of {shown}\n{said}")
    return result.stdout
