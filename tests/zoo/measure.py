"""Prove every architecture of the zoo at two opsets, and count how often a sound module is refused.

Usage: python -m zoo.measure [--false-alarms] [--out FILE] (with tests/ on PYTHONPATH)
"""

import json
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import torch

from mnistsum_export.proof.receipt import tool_versions
from mnistsum_runtime.atomic import write_atomically
from mnistsum_train.report import describe_machine
from pi.wheelhouse import ROOT
from zoo.architectures import ARCHITECTURES
from zoo.proving import PROVEN, REFUSED, Outcome, prove_specimen, torch_rounding
from zoo.specimen import ENOUGH, Architecture, spreads
from zoo.vision import FAMILY as TORCHVISION

SEED = 0
OPSETS = (17, 21)
PROOFS = 200
"""Of sound modules, for the false alarms."""


@click.command("measure")
@click.option("--false-alarms", is_flag=True, help=f"Only this part: {PROOFS} proofs of small architectures.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts" / "zoo.json", help="The record.")
def command(false_alarms: bool, out: Path) -> None:
    """Write zoo.json. Exit code 1 if an architecture is not proven that must be, or a sound module is refused."""
    torch.set_num_threads(1)
    measured = {"false_alarms": measure_false_alarms()} if false_alarms else measure_all()
    record: dict[str, Any] = (json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}) | measured
    write_atomically(out, f"{json.dumps(record, indent=2)}\n".encode())
    problems = record["false_alarms"]["refused"] if false_alarms else find_problems(record["architectures"])
    if problems:
        raise click.ClickException("; ".join(problems))


def measure_all() -> dict[str, Any]:
    """Every architecture at both opsets."""
    start = perf_counter()
    entries = [measure(architecture) for architecture in ARCHITECTURES]
    return {
        "seed": SEED,
        "opsets": list(OPSETS),
        "machine": {key: describe_machine(torch.device("cpu"))[key] for key in ("device", "cores", "threads")},
        "versions": tool_versions(),
        "minutes": round((perf_counter() - start) / 60, 1),
        "counts": count_proven(entries),
        "architectures": entries,
    }


def measure(architecture: Architecture) -> dict[str, Any]:
    """One architecture: what it is, and how its proofs ended."""
    specimen = architecture.make(SEED)
    varies = spreads(specimen)
    outcomes = []
    for opset in OPSETS:
        outcomes.append(prove_specimen(specimen, opset))
        _tell(architecture, outcomes[-1])
    return {
        "name": architecture.name,
        "family": architecture.family,
        "least_opset": architecture.least_opset,
        "parameters": sum(parameter.numel() for parameter in specimen.module.parameters()),
        "inputs": ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in specimen.examples.items()),
        "outputs": list(specimen.outputs),
        "least_spread": min(varies.values(), default=None),
        "torch_rounding": torch_rounding(specimen, varies),
        "proofs": [outcome.to_dict() for outcome in outcomes],
    }


def count_proven(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """How many there are, and how many of them are proven at all opsets."""
    proven = [entry for entry in entries if all(proof["status"] == PROVEN for proof in entry["proofs"])]
    largest = [proof["relative"] for entry in entries for proof in entry["proofs"] if proof["status"] == PROVEN]
    return {
        "architectures": len(entries),
        "torchvision": sum(entry["family"] == TORCHVISION for entry in entries),
        "proven": len(proven),
        "torchvision_proven": sum(entry["family"] == TORCHVISION for entry in proven),
        "largest_relative": max(largest, default=None),
        "blamed": sum(any(proof.get("blamed") for proof in entry["proofs"]) for entry in entries),
    }


def find_problems(entries: list[dict[str, Any]]) -> list[str]:
    """What is not as it must be, a line each."""
    problems = []
    for entry in entries:
        if entry["least_spread"] is not None and entry["least_spread"] < ENOUGH:
            problems.append(f"{entry['name']}: an output varies by {entry['least_spread']:.2g} only")
        for proof in entry["proofs"]:
            what = f"{entry['name']} at opset {proof['opset']}"
            expected = PROVEN if proof["opset"] >= entry["least_opset"] else REFUSED
            if proof["status"] != expected:
                problems.append(f"{what}: {proof['status']}, expected {expected}: {proof.get('reason', '')}")
    return problems


def measure_false_alarms() -> dict[str, Any]:
    """Prove small architectures with other weights and examples; every refusal is a false alarm."""
    start = perf_counter()
    proven: list[float] = []
    refused = []
    chosen = list(islice(small_ones(), PROOFS))
    for architecture, seed in chosen:
        opset = next(opset for opset in OPSETS if opset >= architecture.least_opset)
        outcome = prove_specimen(architecture.make(seed), opset)
        _tell(architecture, outcome)
        if outcome.figures is None:
            refused.append(f"{architecture.name}, seed {seed}, opset {opset}: {outcome.reason}")
        else:
            proven.append(outcome.figures.relative)
    return {
        "proofs": len(chosen),
        "architectures": len({architecture.name for architecture, _ in chosen}),
        "seeds": sorted({seed for _, seed in chosen}),
        "largest_relative": max(proven, default=None),
        "refused": refused,
        "minutes": round((perf_counter() - start) / 60, 1),
    }


def small_ones() -> Iterator[tuple[Architecture, int]]:
    """All small architectures with the first seed after `SEED`, then all with the next, without end."""
    for seed in count(SEED + 1):
        yield from ((architecture, seed) for architecture in ARCHITECTURES if architecture.small)


def _tell(architecture: Architecture, outcome: Outcome) -> None:
    told = f"{outcome.figures.relative:.1e} of the spread" if outcome.figures else outcome.reason
    line = f"{architecture.name}, opset {outcome.opset}: {outcome.status}, {outcome.seconds:.1f} s, {told}"
    click.echo(line, err=True)


if __name__ == "__main__":
    command()
