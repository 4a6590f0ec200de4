"""Jobs on a Ray cluster, whose machines see the same files under the same paths and have this mnistsum."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mnistsum_runtime.errors import CallError, MnistsumError, WorkError

LOCAL = "local"
"""The address that starts a cluster of this machine alone."""
_RETRIES = 10
"""Times that a job is begun again whose machine or process died."""

_PATIENCE = 10
"""Seconds for which a cluster is asked whether it is there."""

Result = TypeVar("Result")


def run_on_cluster(
    function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], address: str, *, talk: bool = False
) -> Iterator[tuple[int, Result]]:
    """Call a function for each job, one core each; what a dead machine had begun is begun again by another.

    Args:
        function: Of a module, with positional arguments.
        jobs: The arguments of each call.
        address: Of the cluster, `HOST:PORT` or `auto`; `local` starts one.
        talk: Show here what the jobs write.

    Yields:
        The place of a job in `jobs` and its result, as they are done.

    Raises:
        CallError: There is no cluster at this address.
        WorkError: A job's machines died again and again, or it failed in a way that no error of ours tells.
        MnistsumError: What `function` raises.
    """
    ray = _connect(address, talk=talk)
    try:
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(function)
        places = {task.remote(*job): place for place, job in enumerate(jobs)}
        waiting = list(places)
        while waiting:
            done, waiting = ray.wait(waiting)
            yield places[done[0]], ray.get(done[0])
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MnistsumError):
            raise error.cause from error
        raise WorkError(f"the cluster: {_line(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise WorkError(f"the cluster: {_line(error)}") from error
    finally:
        ray.shutdown()


def _connect(address: str, *, talk: bool) -> Any:
    # Ray would send figures of its use to its makers, which a user has not asked for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    local = address == LOCAL
    try:
        if not local:
            _require_answer(address)
        ray.init(
            address,  # "local" is Ray's own word: without one it would join what it finds, or wait for what died
            log_to_driver=talk,
            logging_level=logging.ERROR,
            include_dashboard=False if local else None,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise CallError(f"--ray {address}: no cluster answers there: {_line(error)}") from error
    return ray


def _require_answer(address: str) -> None:
    """Ray waits for minutes for a cluster that is gone; `auto` is what Ray's last start on this machine has left."""
    from ray._private.services import canonicalize_bootstrap_address

    found = canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError("none was started on this machine")
    host, _, port = found.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE):
        pass


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
