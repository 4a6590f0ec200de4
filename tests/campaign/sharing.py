"""One predictor for many: threads, and processes that were forked or spawned after it was opened."""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from campaign.forking import Job
from campaign.trying import Campaign, Try, require
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.predictor import Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

THREADS, ANSWERS = 16, 2000
GROWTH = 20_000_000
"""Bytes by which the memory's peak may grow over the second half of the answers."""
_predictor: list[Predictor] = []


@cache
def pictures(seed: int) -> list[NDArray[np.uint8]]:
    """Bars of ink on paper, some with nothing on them."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(40):
        side = int(random.integers(28, 120))
        sheet = random.integers(235, 250, (side, side), np.uint8)
        left, top = (int(random.integers(2, side // 3)) for _ in range(2))
        if random.random() < 0.9:
            sheet[top : side - top, left : left + side // 6] = int(random.integers(0, 90))
        made.append(sheet)
    return made


def answer(job: tuple[int, int]) -> str:
    """The JSON line of one picture, or the kind of its error."""
    seed, index = job
    if not _predictor:
        _predictor.append(Predictor())
    try:
        found = _predictor[0].predict(pictures(seed)[index % 40], index % 10)
    except PictureError as error:
        return error.kind
    return json.dumps(found.to_json("a"))


def share() -> int:
    """In a process of its own: what the command line names, 2,000 answers, and each as one thread gives it."""
    way, seed = sys.argv[1], int(sys.argv[2])
    jobs = [(seed, index) for index in range(ANSWERS)]
    alone = [answer(job) for job in jobs[:400]]  # the pictures repeat after 40, the numbers after 10
    expected = [alone[index % 400] for index in range(ANSWERS)]
    before = 0
    if way == "threads":
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(answer, jobs[: ANSWERS // 2]))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            found += pool.map(answer, jobs[ANSWERS // 2 :])
        if (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 > GROWTH:
            sys.stdout.write("memory grows\n")
    else:
        with ProcessPoolExecutor(2, multiprocessing.get_context(way)) as processes:
            found = list(processes.map(answer, jobs, chunksize=50))
    sys.stdout.write("equal\n" if found == expected else "other answers\n")
    return 0


def attempt(current: Try) -> None:
    """2,000 answers, one of three ways."""
    way = ("threads", "fork", "spawn")[current.index % 3]
    job = Job("campaign.sharing:share", (way, str(current.index)), str(current.folder), seconds=300)
    end = current.server.run(job)
    require(end.code == 0 and end.out == b"equal\n" and not end.err, f"{way}: {end.shown()}")
    current.figures["answers"] += ANSWERS


CAMPAIGN = Campaign(
    "sharing", "2,000 answers by 16 threads, or by processes forked or spawned after loading", (1, 3, 12), attempt
)
