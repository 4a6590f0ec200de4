"""The models in the package, by their names. Without onnxruntime, so that a shell completes them at once."""

import os
from importlib.util import find_spec

BEGINS, ENDS = "mnistsum-", ".onnx"
"""Of the file name of a shipped model; what is between is its name: `sum`, `sum-int8`."""


def shipped_folder() -> str | None:
    """Where the shipped models are, in a wheel and in a checkout alike; None if their package is not installed."""
    # What importlib.resources.files() would answer; importing it takes 7 ms of the 150 of a whole process.
    spec = find_spec("mnistsum_artifacts")
    return spec.submodule_search_locations[0] if spec is not None and spec.submodule_search_locations else None


def shipped_models(operation: str) -> dict[str, str]:
    """The file of each shipped model by what it may be called.

    Args:
        operation: Its models have a short name too: `int8` is `sum-int8` of the sum.
    """
    folder = shipped_folder()
    try:
        files = os.listdir(folder) if folder is not None else []
    except OSError:
        files = []
    names = sorted(file[len(BEGINS) : -len(ENDS)] for file in files if file.startswith(BEGINS) and file.endswith(ENDS))
    short = {name.removeprefix(f"{operation}-"): name for name in names if name.startswith(f"{operation}-")}
    called = {name: name for name in names} | short
    return {called: os.path.join(str(folder), f"{BEGINS}{name}{ENDS}") for called, name in called.items()}
