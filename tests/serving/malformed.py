"""A campaign against mnistsum-serve: malformed requests over bare sockets, and slow clients beside them.

Usage: python -m serving.malformed [--count N] [--seed N] [--slow N] [--full] (with tests/ on PYTHONPATH)
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import click

from mnistsum_runtime import Predictor, __version__
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device
from serving.malformed_bodies import PICTURE
from serving.malformed_http import HTTP_KINDS
from serving.malformed_requests import READ, TOKEN, Malformed, post
from serving.malformed_routes import ROUTE_KINDS
from serving.sending import LIMIT, Ending, Outcome, ask, send
from serving.slow_clients import SlowClients
from serving.started import Started, started

ROOT = Path(__file__).parents[2]
KINDS = HTTP_KINDS | ROUTE_KINDS
FULL, SLOW, AT_ONCE, BETWEEN = 10_000, 200, 40, 500
_LINE = re.compile(r"\d\d:\d\d:\d\d \S+ \S+ .* \d{3} \d+ [\d.]+ ms")
_KNOWN = ("serving http", "this machine alone is let in", "a client does not take its answer")


@dataclass(frozen=True)
class Plan:
    """What a campaign is to be."""

    count: int
    slow: int
    """Clients at once."""
    seed: int
    warm_up: int = 1_000
    """Requests before the server's memory is looked at."""
    growth: int = 10_000_000
    """Bytes by which it may be more afterwards."""
    patient: bool = True
    """Whether requests that are not whole are sometimes kept open until the server has enough."""


@dataclass
class Campaign:
    """What was asked, and what came of it."""

    server: Started
    seed: int
    patient: bool
    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By kind: how often which answer."""
    faults: list[str] = field(default_factory=list)

    async def run(self, first: int, count: int) -> None:
        """Send so many requests, some at once; after every 500 a good one must be answered rightly."""
        for begin in range(first, first + count, BETWEEN):
            waiting = asyncio.Semaphore(AT_ONCE)
            numbers = range(begin, min(begin + BETWEEN, first + count))
            await asyncio.gather(*(self._one(number, waiting) for number in numbers))
            await self.ask_rightly(f"after request {numbers[-1]}")

    async def _one(self, number: int, waiting: asyncio.Semaphore) -> None:
        random = Random(f"{self.seed} {number}")
        kind = list(KINDS)[number % len(KINDS)]
        async with waiting:
            request = KINDS[kind](random)
            outcome = await send(self.server.port, request.data, self._ending(random, request), request.answers)
        self.counts[kind][outcome.word] += 1
        if (wrong := judge(request, outcome)) is not None:
            self.faults.append(f"{kind}, request {number} of seed {self.seed}: {wrong}: {request.data[:100]!r}")

    def _ending(self, random: Random, request: Malformed) -> Ending:
        if request.whole:
            return random.choices(list(Ending), [80, 15, 5])[0]
        return random.choices(list(Ending), [20 if self.patient else 0, 60, 20])[0]

    async def ask_rightly(self, when: str) -> None:
        status, body = await ask(self.server.port, post(READ, PICTURE, "Connection: close"))
        expected = dict(Predictor().predict(PICTURE, 4, "the picture").to_json("the picture"))
        if status != 200 or json.loads(body) != expected:
            self.faults.append(f"{when}: a good request was answered {status} {body[:200]!r}")

    def judge_server(self, before: int, after: int, growth: int) -> None:
        """The same process, of the same size, that said nothing but its lines."""
        if self.server.process.poll() is not None:
            self.faults.append(f"the server ended with {self.server.process.returncode}")
        if after - before > growth:
            self.faults.append(f"the server grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
        strange = [line for line in self.server.lines() if not _LINE.fullmatch(line) and not line.startswith(_KNOWN)]
        self.faults += [f"the server said {line[:300]!r}" for line in strange[:5]]


def judge(request: Malformed, outcome: Outcome) -> str | None:
    """What is wrong about an answer, if anything."""
    if outcome.strange is not None:
        return outcome.strange
    wrong = [each for each in outcome.statuses if not (400 <= each < 500 or each in (501, 505) or each in request.also)]
    return f"answered {wrong[0]}" if wrong else None


async def attack(server: Started, plan: Plan) -> dict[str, Any]:
    """The whole campaign; what is written of it."""
    warm = Campaign(server, plan.seed + 1, plan.patient)
    campaign = Campaign(server, plan.seed, plan.patient)
    await warm.ask_rightly("at the start")
    async with SlowClients(server.port, plan.slow) as clients:
        await warm.run(0, plan.warm_up)
        before = server.memory()
        await campaign.run(0, plan.count)
        after = server.memory()
    campaign.faults += warm.faults + clients.faults
    await campaign.ask_rightly("at the end")
    campaign.judge_server(before, after, plan.growth)
    return {
        "version": __version__,
        "machine": this_device().board,
        "seed": plan.seed,
        "requests": plan.count,
        "warm_up": plan.warm_up,
        "time_limit_s": LIMIT,
        "kinds": {kind: dict(sorted(campaign.counts[kind].items())) for kind in KINDS},
        "slow_clients": {"at_once": plan.slow, **clients.counts},
        "memory_before_mb": before / 1e6,
        "memory_after_mb": after / 1e6,
        "faults": campaign.faults,
    }


def run(folder: Path, plan: Plan) -> dict[str, Any]:
    """Attack a server of its own."""
    token = folder / "token.txt"
    token.write_text(TOKEN, encoding="ascii")
    with started(folder, "--token", token) as server:
        return asyncio.run(attack(server, plan))


@click.command("malformed")
@click.option("--count", default=FULL, show_default=True, help="Requests.")
@click.option("--slow", default=SLOW, show_default=True, help="Slow clients beside them.")
@click.option("--seed", default=0, show_default=True)
@click.option("--full", is_flag=True, help=f"{FULL:,} requests, and write artifacts/serve_malformed.json.")
def command(count: int, slow: int, seed: int, full: bool) -> None:
    """A line for each kind; exit code 1 if the server did anything that it must not."""
    count = FULL if full else count
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), Plan(count, slow, seed))
    for kind, outcomes in [*found["kinds"].items(), ("slow clients", found["slow_clients"])]:
        click.echo(f"{kind}: {', '.join(f'{outcome} x {times}' for outcome, times in outcomes.items())}")
    click.echo(f"memory: {found['memory_before_mb']:.1f} MB before, {found['memory_after_mb']:.1f} MB after")
    for fault in found["faults"]:
        click.echo(f"FAULT {fault}")
    if full:
        write_atomically(ROOT / "artifacts" / "serve_malformed.json", f"{json.dumps(found, indent=2)}\n".encode())
    raise SystemExit(1 if found["faults"] else 0)


if __name__ == "__main__":
    command()
