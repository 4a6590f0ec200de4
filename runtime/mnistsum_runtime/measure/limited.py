"""A command in a process of its own, which may take so much time and memory: for a model file from a stranger.

Once onnxruntime runs a graph, nothing in the same process can stop it.
"""

import subprocess
import sys

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.measure.death import describe_death

SECONDS = 120
"""A Pi under emulation verifies the shipped model in twenty."""
MEMORY = 2_000_000_000
"""Bytes of address space. Verifying the shipped model takes a third of it, most of that onnxruntime's own."""

_CHILD = """
import sys
try:
    import resource
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = int(sys.argv[1]) if hard == resource.RLIM_INFINITY else min(int(sys.argv[1]), hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
except ImportError:
    pass  # Windows: the time alone is limited
del sys.argv[1]
from mnistsum_runtime.commands.{command} import main
main()
"""


def run_limited(command: str, arguments: list[str], seconds: float = SECONDS, memory: int = MEMORY) -> int:
    """Run a command of this package with limits; its exit code. What it prints goes where this process prints.

    Args:
        command: A module of `commands`, for example `verify`.
        arguments: Of its command line.
        seconds: It is ended after these.
        memory: Bytes of address space that it may have, where the system can say so (not on Windows).

    Raises:
        ModelError: It did not end in time, or it died.
    """
    child = [sys.executable, "-P", "-c", _CHILD.format(command=command), str(memory), *arguments]
    try:
        code = subprocess.run(child, timeout=seconds, check=False).returncode  # noqa: S603  (this Python, no shell)
    except subprocess.TimeoutExpired as late:
        raise ModelError(f"no end after {seconds:g} s: the process was ended") from late
    died = describe_death(code)
    if died is not None:
        raise ModelError(f"the process died of {died}, within {memory / 1e9:g} GB of memory")
    return code
