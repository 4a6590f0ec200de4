"""Call a command inside this process, as its entry point does."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

import click

from mnistsum_runtime.commands.options import exit_code_of


@dataclass(frozen=True)
class Called:
    """What a command left: its exit code and all that it wrote."""

    code: int
    out: str
    err: str


def call(command: click.Command, *arguments: object) -> Called:
    """Run `command` with `arguments`; nothing that it raises on purpose comes through."""
    out, err = io.StringIO(), io.StringIO()
    argv = [str(command.name), *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        code = exit_code_of(command)
    return Called(code, out.getvalue(), err.getvalue())


def assert_one_line(called: Called, code: int, *words: str) -> None:
    """The command failed with `code`, one line on standard error that has `words`, and nothing on standard output."""
    assert called.code == code, called
    assert called.out == ""
    assert called.err.count("\n") == 1, called.err
    assert called.err.endswith("\n")
    for word in words:
        assert word in called.err
