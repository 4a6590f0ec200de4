"""Many trainings: one after the other, or side by side on a cluster."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mnistsum_runtime.cluster import run_on_cluster
from mnistsum_runtime.commands.options import require_extra

Result = TypeVar("Result")

ray_option = click.option(
    "--ray",
    metavar="ADDRESS",
    help="Train side by side, a core each, on the Ray cluster at HOST:PORT, whose machines all see the folders; `auto` "
    "finds it, `local` starts one.  [default: one after the other, here]",
    show_default=False,
)
"""`--ray`, of every command that trains more than once."""


def run_jobs(function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], ray: str | None) -> list[Result]:
    """Call a function for each job; the results in the order of the jobs.

    Args:
        function: Of a module. It goes on with what it finds begun, since a job whose machine dies is called again.
        jobs: The arguments of each call.
        ray: The address of a cluster; None calls one job after the other, here.

    Raises:
        CallError: There is no cluster at this address, or Ray is not installed.
        MnistsumError: What `function` raises.
    """
    if ray is None:
        return [function(*job) for job in jobs]
    require_extra("cluster", "ray")
    done = dict(run_on_cluster(function, jobs, ray, talk=True))
    return [done[place] for place in range(len(jobs))]
