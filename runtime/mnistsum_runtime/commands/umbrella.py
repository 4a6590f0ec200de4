"""`mnistsum`: all commands under one name; `mnistsum run seven.png 4` is `mnistsum-run seven.png 4`.

Its own help and completion are in `umbrella_options`, so that a command started from here loads what it would anyway.
"""

import sys

from mnistsum_runtime.commands.launch import launch
from mnistsum_runtime.commands.listed import COMMANDS


def main() -> None:
    """Entry point of `mnistsum`, and of `python -m mnistsum_runtime`."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word in COMMANDS:
        sys.argv[:2] = [f"mnistsum-{word}"]
        launch(COMMANDS[word].module)
        return
    from mnistsum_runtime.commands.options import run_command
    from mnistsum_runtime.commands.umbrella_options import command

    run_command(command)
