"""Entry points of the commands: until what they need is there to answer a Ctrl-C, it ends them without a word."""

import signal
from importlib import import_module


def launch(module: str) -> None:
    """Import a command's module and call its `main`. Python's own way would print where a Ctrl-C met the import."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # not where a shell has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    main = import_module(module).main
    signal.signal(signal.SIGINT, usual)
    main()


def umbrella() -> None:
    """Entry point of `mnistsum`."""
    launch("mnistsum_runtime.commands.umbrella")


def run() -> None:
    """Entry point of `mnistsum-run`."""
    launch("mnistsum_runtime.commands.run")


def verify() -> None:
    """Entry point of `mnistsum-verify`."""
    launch("mnistsum_runtime.commands.verify")


def bench() -> None:
    """Entry point of `mnistsum-bench`."""
    launch("mnistsum_runtime.commands.bench")


def doctor() -> None:
    """Entry point of `mnistsum-doctor`."""
    launch("mnistsum_runtime.commands.doctor")


def evaluate() -> None:
    """Entry point of `mnistsum-evaluate`."""
    launch("mnistsum_runtime.commands.evaluate")


def batch() -> None:
    """Entry point of `mnistsum-batch`."""
    launch("mnistsum_runtime.commands.batch")


def serve() -> None:
    """Entry point of `mnistsum-serve`."""
    launch("mnistsum_runtime.commands.serve")
