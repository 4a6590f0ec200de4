"""`mnistsum-batch` by its figures: speed, memory, faults, a cluster of two nodes, and training on two processes.

Usage: python -m batching.measure [--only NAME] [--scale SHARE] (with tests/ on PYTHONPATH)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import click

from batching.inputs import digits, write_mixed, write_tars
from batching.running import BIN, Ran, children, contents, count_rows, kill, run, start
from batching.training import measure_end, measure_step
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.bench import make_pictures
from mnistsum_runtime.measure.device import this_device
from mnistsum_train.presets import PRESETS

ROOT = Path(__file__).parents[2]
ROUNDS = 3
SHORT = 3
"""Epochs of `base`, instead of 20."""
WORKERS = ["--workers", "2"]


def measure_workers(folder: Path, scale: float) -> dict[str, Any]:
    """Two workers, and `predict_many` in one process, in turn."""
    scans = folder / "scans"
    files = make_pictures(scans, round(20_000 * scale), 2)
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom mnistsum_runtime import Predictor\n"
        "files = sorted(Path(sys.argv[1]).glob('*.png'))\n"
        "predictor = Predictor()\nstart = time.perf_counter()\n"
        "for place in range(0, len(files), 2000):\n"
        "    predictor.predict_many(files[place : place + 2000], 4, on_error='return')\n"
        "print(time.perf_counter() - start)\n"
    )
    rounds = []
    for number in range(ROUNDS):
        one = float(subprocess.run([sys.executable, "-c", script, scans], capture_output=True, check=True).stdout)
        two = run([str(scans), *WORKERS], folder / f"out-{number}").seconds
        rounds.append((one, two))
    return {
        "pictures": len(files),
        "predict_many_seconds": statistics.median(one for one, _ in rounds),
        "two_workers_seconds": statistics.median(two for _, two in rounds),
        "ratio": statistics.median(one / two for one, two in rounds),
    }


def measure_cluster(folder: Path, scale: float) -> dict[str, Any]:
    """A Ray cluster of two nodes on this machine, and two workers without it, in turn."""
    count = round(200_000 * scale)
    tars = [str(path) for path in write_tars(folder, digits(), count, 8)]
    with _TwoNodes() as cluster:
        rounds = [
            (
                run([*tars, *WORKERS], folder / f"here-{number}").seconds,
                run([*tars, "--ray", cluster.address], folder / f"there-{number}").seconds,
            )
            for number in range(ROUNDS)
        ]
    same = contents(folder / "here-0") == contents(folder / "there-0")
    return {
        "pictures": count,
        "workers_seconds": statistics.median(here for here, _ in rounds),
        "cluster_seconds": statistics.median(there for _, there in rounds),
        "ratio": statistics.median(here / there for here, there in rounds),
        "same_bytes": same,
    }


def measure_million(folder: Path, scale: float) -> dict[str, Any]:
    """A million pictures, here and on the cluster."""
    count = round(1_000_000 * scale)
    tars = [str(path) for path in write_tars(folder, digits(), count, 20)]
    here = run([*tars, *WORKERS], folder / "here")
    with _TwoNodes() as cluster:
        there = run([*tars, "--ray", cluster.address], folder / "there")
    return {
        "pictures": count,
        "here": _figures(here, folder / "here"),
        "cluster": _figures(there, folder / "there"),
        "same_bytes": contents(folder / "here") == contents(folder / "there"),
    }


def _figures(ran: Ran, out: Path) -> dict[str, Any]:
    rows, different = count_rows(out)
    return {
        "seconds": ran.seconds,
        "driver_memory_mb": ran.peak / 1e6,
        "rows": rows,
        "different_pictures": different,
        "answered": ran.summary["answered"],
    }


def measure_faults(folder: Path, scale: float) -> dict[str, Any]:
    """Kills at random moments of workers, of nodes and of the driver, then the same command again."""
    count = round(200_000 * scale)
    tars = [str(path) for path in write_tars(folder, digits(), count, 8)]
    whole = run([*tars, *WORKERS], folder / "whole")
    expected = contents(folder / "whole")
    record: dict[str, Any] = {"pictures": count}
    for what, fault in (("worker", _kill_workers), ("driver", _kill_driver), ("node", _kill_node)):
        out = folder / what
        kills = fault(tars, out, whole.seconds)
        rows, different = count_rows(out)
        record[what] = {
            "kills": kills,
            "rows": rows,
            "different_pictures": different,
            "same_bytes": contents(out) == expected,
        }
    return record


def _kill_workers(tars: list[str], out: Path, seconds: float) -> int:
    """Three of one run's workers; the run goes on by itself."""
    random, process, kills = Random(1), start([*tars, *WORKERS], out), 0
    while kills < 3 and process.poll() is None:
        time.sleep(random.uniform(0.1, seconds / 6))
        workers = children(process.pid)
        if workers:
            kill(random.choice(workers))
            kills += 1
    process.communicate()
    run([*tars, *WORKERS], out)
    return kills


def _kill_driver(tars: list[str], out: Path, seconds: float) -> int:
    """The driver, three times."""
    random, kills = Random(2), 0
    for _ in range(3):
        process = start([*tars, *WORKERS], out)
        time.sleep(random.uniform(0.5, seconds / 3))
        if process.poll() is None:
            kill(process.pid)
            kills += 1
        process.communicate()
    run([*tars, *WORKERS], out)
    return kills


def _kill_node(tars: list[str], out: Path, seconds: float) -> int:
    """A node of the cluster in each of three runs; another one comes in its place."""
    random, kills = Random(3), 0
    for _ in range(3):
        with _TwoNodes() as cluster:
            process = start([*tars, "--ray", cluster.address], out)
            time.sleep(random.uniform(3, 3 + seconds / 3))
            if process.poll() is None:
                cluster.lose_a_node()
                kills += 1
            time.sleep(2)
            kill(process.pid)
            process.communicate()
    with _TwoNodes() as cluster:
        run([*tars, "--ray", cluster.address], out)
    return kills


class _TwoNodes:
    """A Ray cluster of two nodes with two logical processors each, on this machine."""

    def __enter__(self) -> _TwoNodes:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        self._other = self._cluster.add_node(num_cpus=2)
        self.address: str = self._cluster.address
        return self

    def lose_a_node(self) -> None:
        """Kill the second node at once, and start a third."""
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = self._cluster.add_node(num_cpus=2)

    def __exit__(self, *_: object) -> None:
        self._cluster.shutdown()  # type: ignore[no-untyped-call]


def measure_answers(folder: Path, scale: float) -> dict[str, Any]:
    """Every answer beside that of `mnistsum-run --json`, broken pictures among them."""
    from pyarrow import parquet

    pictures = folder / "pictures"
    pictures.mkdir()
    write_mixed(pictures, digits()[:1000], round(2000 * scale))
    run([str(pictures), *WORKERS], folder / "out")
    told = subprocess.run([BIN / "mnistsum-run", pictures, "4", "--json"], capture_output=True, check=False).stdout
    lines = {line["image"]: line for line in map(json.loads, told.splitlines())}
    rows = {row["image"]: row for row in parquet.read_table(folder / "out").to_pylist()}
    different = [name for name, line in lines.items() if name not in rows or _as_line(rows[name]) != line]
    return {"pictures": len(lines), "rows": len(rows), "different": len(different)}


def _as_line(row: dict[str, Any]) -> dict[str, Any]:
    """A row as `mnistsum-run --json` tells it."""
    answered = row["error_kind"] is None
    error = None if answered else {"kind": row["error_kind"], "message": row["error_message"]}
    return {
        "image": row["image"],
        "number": row["number"],
        "digit": row["digit"],
        "sum": row["value"],
        "digit_confidence": round(row["digit_confidence"], 4) if answered else None,
        "sum_confidence": round(row["value_confidence"], 4) if answered else None,
        "consistent": row["value"] == row["digit"] + row["number"] if answered else None,
        "reliable": row["reliable"],
        "reason": row["reason"],
        "error": error,
    }


def measure_training(folder: Path, scale: float) -> dict[str, Any]:
    """Two processes that train together, beside one."""
    return {
        preset: measure_step(preset) | measure_end(folder, preset, max(1, round(epochs * scale)))
        for preset, epochs in (("fast", PRESETS["fast"].recipe.epochs), ("base", SHORT))
    }


PARTS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "answers": measure_answers,
    "workers": measure_workers,
    "cluster": measure_cluster,
    "faults": measure_faults,
    "million": measure_million,
    "training": measure_training,
}


@click.command("measure")
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="This part alone; may be given again.")
@click.option(
    "--scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Of the pictures, so large a share."
)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts" / "batch.json", help="The record.")
def command(only: tuple[str, ...], scale: float, out: Path) -> None:
    """Write batch.json, part by part; all parts take about half an hour on two cores."""
    record: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    device = this_device()
    record["machine"] = {"board": device.board, "cores": device.cores, "system": device.system}
    record["versions"] = {name: version(name) for name in ("mnistsum", "onnxruntime", "pyarrow", "ray")}
    for name in only or PARTS:
        with tempfile.TemporaryDirectory(prefix="mnistsum-batching-") as folder:
            found = PARTS[name](Path(folder), scale)
        record[name] = {"date": datetime.now(UTC).date().isoformat()} | found
        click.echo(f"{name}: {json.dumps(record[name])}")
        write_atomically(out, f"{json.dumps(record, indent=2)}\n".encode())


if __name__ == "__main__":
    command()
