"""The servers that are measured side by side, each started as its own documentation says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Contender:
    """A server, and how it is asked for the number 4."""

    name: str
    port: int
    read_path: str
    form: str
    """How a picture comes: as the `body`, as the file of a `form`, or as `base64` in JSON."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.read_path}"

    def request(self, picture: bytes) -> tuple[bytes, str]:
        """Body and content type of a request with a picture."""
        if self.form == "body":
            return picture, "image/png"
        if self.form == "base64":
            data = [b64encode(picture).decode()]
            tensor: dict[str, Any] = {"name": "picture", "shape": [1], "datatype": "BYTES", "data": data}
            tensor["parameters"] = {"content_type": "base64"}
            return json.dumps({"inputs": [tensor]}).encode(), "application/json"
        head = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        )
        return head + picture + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"

    def answers(self, picture: bytes) -> bool:
        """Whether it answers the picture rightly."""
        body, content_type = self.request(picture)
        request = urllib.request.Request(self.url, body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                found = json.load(response)
                if self.form != "base64":
                    return bool(found["sum"] == 11)
                values = found["outputs"][1]["data"]
                return bool(values.index(max(values)) == 11)
        except (OSError, urllib.error.URLError, ValueError, KeyError):
            return False


OURS = Contender("mnistsum-serve", 8171, "/read?number=4", "body")
MLSERVER = Contender("MLServer", 8181, "/v2/models/sum/infer", "base64")
LITSERVE = Contender("LitServe", 8191, "/predict", "form")


@contextmanager
def running(contender: Contender, folder: Path, picture: bytes) -> Iterator[int]:
    """Start it, wait until it answers, and end it with all its processes; the first process' number.

    Args:
        contender: Which.
        folder: For its files.
        picture: A seven.
    """
    with (folder / f"{contender.name}.log").open("wb") as log:
        process = subprocess.Popen(
            _command(contender, folder), cwd=folder, stdout=log, stderr=log, start_new_session=True, env=_environment()
        )
    try:
        end = time.monotonic() + 60
        while not contender.answers(picture):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{contender.name} did not start:\n{(folder / f'{contender.name}.log').read_text()}")
            time.sleep(0.2)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE)}


def _command(contender: Contender, folder: Path) -> list[str]:
    scripts = Path(sys.executable).parent
    if contender is OURS:
        return [str(scripts / "mnistsum-serve"), "--port", str(OURS.port)]
    if contender is LITSERVE:
        return [sys.executable, str(HERE / "litserve_app.py"), str(LITSERVE.port)]
    port = MLSERVER.port
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    (folder / "settings.json").write_text(json.dumps(settings | {"debug": False}), encoding="utf-8")
    model = {"name": "sum", "implementation": "mlserver_model.Network"}
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    shutil.copy(HERE / "mlserver_model.py", folder)
    return [str(scripts / "mlserver"), "start", str(folder)]


def memory(process: int) -> int:
    """Bytes of a process and of all that it started: what they share is counted once (PSS)."""
    total = 0
    for each in [process, *_children(process)]:
        text = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024
    return total


def _children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text(encoding="utf-8").split():
            found += [int(child), *_children(int(child))]
    return found
