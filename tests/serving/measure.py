"""mnistsum-serve beside MLServer and LitServe, which read the same pictures with the same `Predictor`.

Usage: python -m serving.measure [--out FOLDER] (with tests/ on PYTHONPATH, in the environment of `make serve-bench`)
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device
from mnistsum_runtime.measure.processes import start_alternating
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture
from serving.contenders import LITSERVE, MLSERVER, OURS, Contender, memory, running

ROOT = Path(__file__).parents[2]
ROUNDS = 5
CONNECTIONS = 8
SECONDS = 4
REQUESTS = 400
"""Of tritonclient, a round and server."""
MANY = 100_000


@click.command("measure")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts", help="For serve.json.")
@click.option("--many", default=MANY, help="Requests before memory is looked at again.")
def command(out: Path, many: int) -> None:
    """Write serve.json. Let nothing else run; it takes some five minutes."""
    sample = (ROOT / "artifacts" / "samples" / "seven.png").read_bytes()
    small = small_picture(sample)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content: dict[str, Any] = {
            "machine": {"processor": this_device().board, "cores": this_device().cores, "system": platform.platform()},
            "versions": {each: version(each) for each in ("uvicorn", "mlserver", "litserve", "tritonclient")},
            "start": measure_start(sample, folder),
            "memory": measure_memory(small, many, folder),
        }
        with running(OURS, folder, sample), running(MLSERVER, folder, sample):
            content["client"] = measure_client(small)
        content["throughput"] = [measure_throughput(each, small, sample, folder) for each in (OURS, MLSERVER, LITSERVE)]
    write_atomically(out / "serve.json", f"{json.dumps(content, indent=2)}\n".encode())
    click.echo(json.dumps(content, indent=2))


def small_picture(content: bytes) -> bytes:
    """A picture as the network sees it, 28x28, as a PNG."""
    field = prepare_picture(read_picture(content)).field
    buffer = BytesIO()
    Image.fromarray((field * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def measure_start(sample: bytes, folder: Path) -> dict[str, float]:
    """Whole processes, in turn: the server until it is ready and told to end, and mnistsum-run with one picture."""
    picture = folder / "seven.png"
    picture.write_bytes(sample)
    # The command itself, which ends where it would begin to answer.
    script = (
        "from mnistsum_runtime.commands.entry import start_quickly; start_quickly()\n"
        "import os, sys\n"
        "sys.argv = ['mnistsum-serve', '--port', '0']\n"
        "from mnistsum_runtime.commands import serve\n"
        "import mnistsum_runtime.serve.log as log\n"
        "log.RequestLog.trouble = lambda self, sentence: os._exit(0) if 'serving' in sentence else None\n"
        "serve.main()\n"
    )
    scripts = Path(sys.executable).parent
    commands = {
        "serve": [sys.executable, "-P", "-c", script],
        "help": [str(scripts / "mnistsum-serve"), "--help"],
        "run": [str(scripts / "mnistsum-run"), str(picture), "4"],
    }
    starts = dict(zip(commands, start_alternating(list(commands.values()), 20), strict=True))
    run = starts["run"]
    found = {f"{name}_ms": statistics.median(start.seconds for start in each) * 1e3 for name, each in starts.items()}
    for name in ("serve", "help"):
        pairs = zip(starts[name], run, strict=True)
        found[f"{name}_ratio"] = statistics.median(one.seconds / other.seconds for one, other in pairs)
    return found


def measure_memory(picture: bytes, many: int, folder: Path) -> dict[str, Any]:
    """Of a new server: after 1,000 requests, and after many."""
    with running(OURS, folder, picture) as process:
        ask_often(picture, 1000, folder)
        first = memory(process)
        asked = 1000 + ask_often(picture, many - 1000, folder)
        return {"after_1000_mb": first / 1e6, "requests": asked, "after_all_mb": memory(process) / 1e6}


def ask_often(picture: bytes, count: int, folder: Path) -> int:
    """Ask our server at least so often; how often it was."""
    asked = 0
    while asked < count:
        asked += load(OURS, picture, folder, seconds=2 if count < 5000 else 10)[0]
    return asked


def measure_client(picture: bytes) -> dict[str, Any]:
    """tritonclient, one picture, one connection, in turn. MLServer's HTTP reads no tensors as bytes: JSON alone."""
    field = np.asarray(Image.open(BytesIO(picture)), np.float32)[None, None] / 255
    number = np.eye(10, dtype=np.float32)[4:5]
    clients = {each.name: InferenceServerClient(f"127.0.0.1:{each.port}") for each in (OURS, MLSERVER)}
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, kind in ((OURS.name, "binary"), (MLSERVER.name, "json"), (OURS.name, "json")):
            tensors = []
            for key, array in (("image", field), ("number", number)):
                tensor = InferInput(key, list(array.shape), "FP32")
                tensor.set_data_from_numpy(array, binary_data=kind == "binary")
                tensors.append(tensor)
            outputs = [InferRequestedOutput(key, binary_data=kind == "binary") for key in ("digit", "sum")]
            times.setdefault((name, kind), []).extend(time_requests(clients[name], tensors, outputs))
    return {
        f"{name}, {kind}": {f"p{p}_ms": float(np.percentile(each, p)) * 1e3 for p in (50, 99)}
        for (name, kind), each in times.items()
    }


def time_requests(
    client: InferenceServerClient, tensors: list[InferInput], outputs: list[InferRequestedOutput]
) -> list[float]:
    """Seconds of each request; the first twenty are not counted."""
    times = []
    for _ in range(REQUESTS + 20):
        before = time.perf_counter()
        answer = client.infer("sum", tensors, outputs=outputs)
        times.append(time.perf_counter() - before)
        if answer.as_numpy("sum").argmax() != 11:
            raise SystemExit("a wrong answer")
    return times[20:]


def measure_throughput(contender: Contender, picture: bytes, sample: bytes, folder: Path) -> dict[str, Any]:
    """Requests a second with eight connections, the median of some rounds; and memory after them."""
    with running(contender, folder, sample) as process:
        rounds = [load(contender, picture, folder, SECONDS)[1] for _ in range(ROUNDS)]
        return {
            "name": contender.name,
            "connections": CONNECTIONS,
            "requests_per_second": statistics.median(rounds[1:]),
            "memory_mb": memory(process) / 1e6,
        }


def load(contender: Contender, picture: bytes, folder: Path, seconds: float) -> tuple[int, float]:
    """Let wrk ask for some seconds; how often it did, and how often a second."""
    body, content_type = contender.request(picture)
    (folder / "body").write_bytes(body)
    script = folder / "wrk.lua"
    script.write_text(
        f'local file = io.open("{folder / "body"}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        f'wrk.headers["Content-Type"] = "{content_type}"\n',
        encoding="utf-8",
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), contender.url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"{contender.name}: {text}")
    count, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+([\d.]+)", text)
    if count is None or rate is None:
        raise SystemExit(text)
    return int(count[1]), float(rate[1])


if __name__ == "__main__":
    command()
