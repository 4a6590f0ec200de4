"""Run the campaigns: a line each on standard output, and exit code 1 if anything failed.

Usage: python -m campaign.run [--full] [--count N] [--seed N] [--only NAME] [--out FILE] (with tests/ on PYTHONPATH)
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import click

from campaign.campaigns import CAMPAIGNS
from campaign.forking import Server
from campaign.trying import ApartError, Campaign, FailedError, SkippedError, Try
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device
from pi.wheelhouse import ROOT

BY_DEFAULT, IN_FULL = 1, 2
PACKAGES = ("onnxruntime", "numpy", "Pillow", "click", "torch", "onnx", "safetensors")


@dataclass
class Tally:
    """What came of one campaign."""

    tried: int = 0
    failed: list[str] = field(default_factory=list)
    apart: Counter[str] = field(default_factory=Counter)
    """Held under a condition, by what it is."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Not tried here, by why."""
    figures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0

    @property
    def held(self) -> int:
        """Tries of which nothing bad is known."""
        return self.tried - len(self.failed)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "tried": self.tried,
            "held": self.held,
            "failed": len(self.failed),
            "apart": dict(sorted(self.apart.items())),
            "skipped": dict(sorted(self.skipped.items())),
            "figures": dict(sorted(self.figures.items())),
            "seconds": round(self.seconds, 1),
        }

    def __str__(self) -> str:
        """After the campaign's name."""
        parts = [f"{self.tried:,} tried, {self.held:,} held, {len(self.failed):,} failed"]
        parts += [f"{count:,} {what}" for what, count in sorted((self.figures + self.apart).items())]
        parts += [f"{count:,} not tried: {why}" for why, count in sorted(self.skipped.items())]
        return "; ".join(parts)


@dataclass(frozen=True)
class Plan:
    """How a campaign is run."""

    seed: int = 0
    keep: Path | None = None
    """Where the inputs of failed tries go; None: nowhere."""
    workers: int = 1


def run_campaign(campaign: Campaign, indices: range, plan: Plan) -> Tally:
    """All tries of one campaign."""
    tally, start, lock = Tally(), perf_counter(), threading.Lock()
    with tempfile.TemporaryDirectory(prefix="mnistsum-campaign-") as scratch, _Servers(campaign.preload) as servers:

        def one(index: int) -> None:
            current = Try(
                index, Random(f"{campaign.name} {plan.seed} {index}"), _folder(scratch, index), servers.mine()
            )
            skipped, apart, problem = _attempt(campaign, current)
            if problem is not None and plan.keep is not None:
                _keep(campaign, current, problem, plan)
            shutil.rmtree(current.folder, ignore_errors=True)
            with lock:
                tally.figures += current.figures
                if skipped is not None:
                    tally.skipped[skipped] += 1
                    return
                tally.tried += 1
                tally.apart.update([apart] if apart is not None else [])
                tally.failed += [f"{index}: {problem}"] if problem is not None else []

        with ThreadPoolExecutor(1 if campaign.alone else plan.workers) as pool:
            waiting = iter(indices)
            while some := list(islice(waiting, 500)):
                list(pool.map(one, some))
    tally.seconds = perf_counter() - start
    tally.failed.sort(key=lambda line: int(line.partition(":")[0]))
    return tally


def _folder(scratch: str, index: int) -> Path:
    folder = Path(scratch) / str(index)
    folder.mkdir()
    return folder


def _attempt(campaign: Campaign, current: Try) -> tuple[str | None, str | None, str | None]:
    """Why it was skipped, under which condition it holds, and what is wrong; None each if there is nothing to say."""
    try:
        campaign.attempt(current)
    except FailedError as failed:
        return None, None, str(failed)
    except ApartError as apart:
        return None, str(apart), None
    except SkippedError as skipped:
        return str(skipped), None, None
    return None, None, None


def _keep(campaign: Campaign, current: Try, problem: str, plan: Plan) -> None:
    assert plan.keep is not None
    place = plan.keep / f"{campaign.name}-{plan.seed}-{current.index}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(current.folder, place, symlinks=True, ignore=_no_regular_file, ignore_dangling_symlinks=True)
    again = f"python -m campaign.run --only {campaign.name} --seed {plan.seed} --index {current.index}"
    (place / "problem.txt").write_text(f"{again}\n\n{problem}\n", encoding="utf-8", errors="backslashreplace")


def _no_regular_file(folder: str, names: list[str]) -> list[str]:
    """What cannot be copied, or would be waited for: pipes, devices, links."""
    paths = {name: Path(folder, name) for name in names}
    return [name for name, path in paths.items() if path.is_symlink() or not (path.is_file() or path.is_dir())]


class _Servers:
    """One for each thread that asks."""

    def __init__(self, preload: str) -> None:
        self._preload, self._threads, self._all = preload, threading.local(), list[Server]()

    def __enter__(self) -> _Servers:
        return self

    def mine(self) -> Server:
        """The server of this thread."""
        if not hasattr(self._threads, "server"):
            self._threads.server = Server(self._preload)
            self._all.append(self._threads.server)
        server = self._threads.server
        assert isinstance(server, Server)
        return server

    def __exit__(self, *_: object) -> None:
        for server in self._all:
            server.close()


@click.command("campaign")
@click.option("--full", is_flag=True, help="As many tries as the README's figures rest on: hours.")
@click.option("--count", type=click.IntRange(1), help="Tries of each campaign.  [default: a table of counts]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same tries.")
@click.option("--only", multiple=True, type=click.Choice([campaign.name for campaign in CAMPAIGNS]), metavar="NAME")
@click.option("--index", type=click.IntRange(0), help="One try alone, of the campaign that --only names.")
@click.option("--keep", type=click.Path(path_type=Path), default=ROOT / "runs" / "campaign", help="For failing inputs.")
@click.option("--workers", type=click.IntRange(1), default=min(4, os.cpu_count() or 1), show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The record.  [default: artifacts/campaign.json with --full, else campaign.json in --keep]",
)
@click.pass_context
def command(
    context: click.Context,
    full: bool,
    count: int | None,
    seed: int,
    only: tuple[str, ...],
    index: int | None,
    keep: Path,
    workers: int,
    out: Path | None,
) -> None:
    """Try what must not break the product, and count what does."""
    keep.mkdir(parents=True, exist_ok=True)
    plan = Plan(seed, keep, workers)
    out = out or (ROOT / "artifacts" if full else keep) / "campaign.json"
    any_failed = False
    for campaign in CAMPAIGNS:
        if only and campaign.name not in only:
            continue
        tries = range(count or campaign.counts[IN_FULL if full else BY_DEFAULT])
        tally = run_campaign(campaign, tries if index is None else range(index, index + 1), plan)
        click.echo(f"{campaign.name}: {tally}")
        for line in tally.failed:
            click.echo(f"  {campaign.name} {' | '.join(line.split(chr(10)))[:1000]}", err=True)
        any_failed |= bool(tally.failed)
        if index is None:
            record(out, campaign, tally, seed)
    context.exit(int(any_failed))


def record(out: Path, campaign: Campaign, tally: Tally, seed: int) -> None:
    """Put what came of a campaign into the file; what was measured elsewhere or with other versions goes."""
    where = {"machine": describe_machine(), "versions": dict(_versions())}
    known: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if {name: known.get(name) for name in where} != where:
        known = where | {"campaigns": {}}
    entry = {"what": campaign.what, "seed": seed, "date": datetime.now(UTC).date().isoformat()} | tally.to_dict()
    entries = known["campaigns"] | {campaign.name: entry}
    known["campaigns"] = {each.name: entries[each.name] for each in CAMPAIGNS if each.name in entries}
    write_atomically(out, f"{json.dumps(known, indent=2)}\n".encode())


def describe_machine() -> dict[str, Any]:
    """Processor, cores and system, without the name of anybody's computer."""
    device = this_device()
    return {"board": device.board, "machine": device.machine, "cores": device.cores, "system": device.system}


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
    yield "python", platform.python_version()


if __name__ == "__main__":
    command()
