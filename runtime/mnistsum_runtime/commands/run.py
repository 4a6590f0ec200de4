"""`mnistsum-run`: the entry point.

A call without options, which is the one that a device makes, is answered without click: a thirteenth of the memory over
the bare import of onnxruntime. Options are parsed by `run_options`; both ways end in `run_answer`.
"""

import os
import sys

from mnistsum_runtime.commands.entry import exit_code, leave_quickly, start_quickly
from mnistsum_runtime.commands.run_answer import NAME, STANDARD_INPUT, answer

COMPLETING = "_MNISTSUM_RUN_COMPLETE"
"""Set where a shell asks click what could follow."""


def main() -> None:
    """Entry point of `mnistsum-run`."""
    arguments = sys.argv[1:]
    if COMPLETING in os.environ or any(text.startswith("-") and text != STANDARD_INPUT for text in arguments):
        from mnistsum_runtime.commands.options import run_and_exit
        from mnistsum_runtime.commands.run_options import command

        run_and_exit(command)
    start_quickly()
    leave_quickly(exit_code(NAME, lambda: answer(arguments)))
