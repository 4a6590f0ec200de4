"""Shards answered on a Ray cluster, whose machines see the same files under the same paths and have this mnistsum."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mnistsum_runtime.batch.stage import answer_shard
from mnistsum_runtime.errors import CallError, MnistsumError, WorkError

if TYPE_CHECKING:
    from mnistsum_runtime.batch.answers import Counts

LOCAL = "local"
"""The address that starts a cluster of this machine alone."""
_RETRIES = 10
"""Times that a shard is begun again whose machine or process died."""


def answer_on_cluster(folder: str, shards: list[int], address: str) -> Iterator[Counts]:
    """Answer shards; what each counted, as they are done. What a dead machine had begun is done again by another.

    Args:
        folder: Where the plan is, on every machine.
        shards: Which of its shards.
        address: Of the cluster, `HOST:PORT` or `auto`; `local` starts one.

    Raises:
        CallError: There is no cluster at this address.
        ModelError, WorkError: As of `answer_shard`, or a shard's machines died again and again.
    """
    # Ray would send figures of its use to its makers, which a user has not asked for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        ray.init(
            None if address == LOCAL else address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False if address == LOCAL else None,
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise CallError(f"--ray {address}: no cluster answers there: {' '.join(str(error).split())[:300]}") from error
    try:
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(answer_shard)
        waiting = [task.remote(folder, shard) for shard in shards]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield from ray.get(done)
    except RayTaskError as error:
        if isinstance(error.cause, MnistsumError):
            raise error.cause from error
        raise WorkError(f"the cluster: {' '.join(str(error.cause).split())[:500]}") from error
    except RayError as error:
        raise WorkError(f"the cluster: {' '.join(str(error).split())[:500]}") from error
    finally:
        ray.shutdown()
