"""Work in threads, so much of it and no more: nothing is decoded or computed on the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mnistsum_runtime.serve.messages import Refused
from mnistsum_runtime.serve.settings import Limits

Result = TypeVar("Result")


class Pool:
    """Threads, and a queue before them with an end."""

    def __init__(self, workers: int, limits: Limits) -> None:
        """Make the threads when they are needed.

        Args:
            workers: How many threads.
            limits: Length of the queue, share of one client, time.
        """
        self.workers = workers
        self.limits = limits
        self._threads = ThreadPoolExecutor(workers, "mnistsum-serve")
        self._by_client: Counter[str] = Counter()
        self.pending = 0
        """What waits or is in work."""

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return max(0, self.pending - self.workers)

    async def run(self, client: str, work: Callable[[], Result]) -> Result:
        """Do some work in a thread.

        Args:
            client: The address that it is for.
            work: Raises what it likes, which comes through.

        Raises:
            Refused: 503 where the queue is full or the work takes too long, 429 where too much of it is this client's.
        """
        if self.pending >= self.workers + self.limits.queue:
            raise Refused(503, "busy", f"{self.limits.queue} requests are waiting: try again", retry_after="1")
        if self._by_client[client] >= self.limits.per_client:
            message = f"{self.limits.per_client} requests of this address are waiting: try again"
            raise Refused(429, "too_many_requests", message, retry_after="1")
        self.pending += 1
        self._by_client[client] += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # A thread cannot be stopped: its place is free again when it has ended, whether anybody still waits or not.
        future.add_done_callback(lambda done: self._finish(client, done))
        try:
            async with asyncio.timeout(self.limits.work_seconds):
                return await asyncio.shield(future)
        except TimeoutError as error:
            message = f"no answer within {self.limits.work_seconds:g} s"
            raise Refused(503, "too_slow", message, retry_after="5") from error
        finally:
            del future  # an error that comes through has this frame, and the future has the error

    def _finish(self, client: str, future: asyncio.Future[Result]) -> None:
        self.pending -= 1
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]
        if not future.cancelled():
            future.exception()  # looked at: what nobody waits for any more is no news

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)
