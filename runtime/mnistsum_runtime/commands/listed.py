"""The commands that `mnistsum` lists and calls; a name here imports nothing of them."""

from typing import NamedTuple


class Listed(NamedTuple):
    """A command of the list."""

    summary: str
    """What it does, in a few words."""
    module: str
    """Its `main` is called."""
    parsed_in: str
    """The module of the click command, which completion asks."""
    needs: str | None = None
    """A package that only an extra installs; the extra is called as the command."""


def _listed(module: str, summary: str, needs: str | None = None) -> Listed:
    return Listed(summary, module, module, needs)


COMMANDS = {
    "run": Listed(
        "Read the digit in pictures and add a number to it.",
        "mnistsum_runtime.commands.run",
        "mnistsum_runtime.commands.run_options",
    ),
    "verify": _listed(
        "mnistsum_runtime.commands.verify", "Check that this device computes what was computed elsewhere."
    ),
    "doctor": _listed("mnistsum_runtime.commands.doctor", "Look for what keeps mnistsum from running here."),
    "bench": _listed("mnistsum_runtime.commands.bench", "Measure this device: start, memory, latency, throughput."),
    "evaluate": _listed("mnistsum_runtime.commands.evaluate", "Measure the accuracy on your own labelled pictures."),
    "batch": _listed(
        "mnistsum_runtime.commands.batch", "Answer very many pictures, into Parquet files.", needs="pyarrow"
    ),
    "serve": _listed("mnistsum_runtime.commands.serve", "Answer over HTTP, with a page to draw on.", needs="uvicorn"),
    "train": _listed("mnistsum_train.cli", "Train the network on MNIST.", needs="torch"),
    "export": _listed("mnistsum_export.cli", "Turn a PyTorch network into a proven ONNX file.", needs="onnx"),
}
"""In the order of the list, by the word after `mnistsum`."""
