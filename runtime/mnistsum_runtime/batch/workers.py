"""Shards answered by worker processes of this machine, one thread each."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING

from mnistsum_runtime.batch.stage import answer_shard
from mnistsum_runtime.errors import WorkError

if TYPE_CHECKING:
    from mnistsum_runtime.batch.answers import Counts

MOST_DEATHS = 3
"""Times that workers may die in a row without a shard done between: then it is the pictures, or the memory."""


def answer_with_workers(folder: str, shards: list[int], workers: int) -> Iterator[Counts]:
    """Answer shards; what each counted, as they are done. A worker that dies is replaced, and its shard done again.

    Args:
        folder: Where the plan is.
        shards: Which of its shards.
        workers: How many processes.

    Raises:
        ModelError, WorkError: As of `answer_shard`, or workers die again and again.
    """
    left, deaths = set(shards), 0
    while left:
        try:
            for shard, counts in _answer(folder, sorted(left), workers):
                left.discard(shard)
                deaths = 0
                yield counts
        except BrokenProcessPool as error:
            deaths += 1
            if deaths > MOST_DEATHS:
                raise WorkError(
                    f"worker processes died {deaths} times in a row: too little memory for {workers} of them?"
                ) from error


def _answer(folder: str, shards: list[int], workers: int) -> Iterator[tuple[int, Counts]]:
    # Not forked: what onnxruntime has started in this process would be missing in the new one.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (os.getpid(),))
    try:
        waiting: dict[Future[Counts], int] = {pool.submit(answer_shard, folder, shard): shard for shard in shards}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
    except BaseException:
        for process in list(pool._processes.values()):  # what they are at is not needed any more
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """In a new worker: a Ctrl-C is the parent's affair, and without the parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
