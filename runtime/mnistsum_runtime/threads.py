"""How many threads one inference may use."""

from mnistsum_runtime.errors import CallError

MOST_THREADS = 256
"""More than any device of this kind has cores; of some thousands, onnxruntime does not come back."""


def check_threads(threads: int) -> int:
    """The number of threads, if it is one.

    Raises:
        CallError: It is not a whole number from 1 to `MOST_THREADS`.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise CallError(f"threads must be a whole number from 1 to {MOST_THREADS}, found {threads!r}")
    return threads
