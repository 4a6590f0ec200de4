"""Hostile models, made by hand and by mutation: refused in a line, and never verified unless they are what they say."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from campaign.forking import End, Job
from campaign.hostile import Fate
from campaign.hostile_graphs import GRAPHS
from campaign.judging import judge, strict_json
from campaign.mutating import mutate
from campaign.trying import ApartError, Campaign, Try, require
from mnistsum_runtime.model import shipped_model
from mnistsum_runtime.proof.references import parse, references_path
from recording import enlarged, write_recorded

LIMITED = "end only in a limited process"
"""What onnxruntime itself runs without end, or dies of: the condition under which such a file holds."""
PEAK = 1_500_000_000
"""Bytes that a model may take which is refused, or answers; its limit of a tensor is a gigabyte."""
PATIENCE = 8.0
"""Seconds after which a process is limited here; the product's own limit is two minutes."""


@cache
def _whole() -> tuple[tuple[bytes, bytes], ...]:
    """The tiny model and the shipped one, each with its references file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        tiny = write_recorded(path).to_bytes()
        shipped = Path(shipped_model())
        return (path.read_bytes(), tiny), (shipped.read_bytes(), Path(references_path(str(shipped))).read_bytes())


@cache
def _places(number: int) -> list[int]:
    """Where a whole model's bytes are not weights."""
    content = _whole()[number][0]
    is_weight = np.zeros(len(content), np.bool_)
    for tensor in onnx.load_from_string(content).graph.initializer:
        at = content.find(tensor.raw_data)
        if len(tensor.raw_data) > 64 and at >= 0:
            is_weight[at : at + len(tensor.raw_data)] = True
    return [int(place) for place in np.nonzero(~is_weight)[0]]


def bound(references: bytes, model: bytes) -> bytes:
    """References that say that they are of another file: what somebody writes who wants to deceive."""
    header, arrays = parse(references)
    header["model_sha256"] = sha256(model).hexdigest()
    buffer = BytesIO()
    kept: dict[str, Any] = dict(arrays) | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    np.savez(buffer, **kept)
    return buffer.getvalue()


def attempt(current: Try) -> None:
    """One model through the commands and the API: every other one made by hand."""
    if current.index % 2 == 0:
        _by_hand(current)
    else:
        _mutated(current)


def _by_hand(current: Try) -> None:
    hostile = GRAPHS[current.index // 2 % len(GRAPHS)]
    current.figures["made by hand"] += 1
    content = hostile.to_bytes()
    for name, beside in hostile.beside.items():
        (current.folder.parent / name).write_bytes(beside)
        current.write(name, beside)
    _write(current, content, _whole()[0][1], rebind=True)
    if hostile.fate is Fate.PROCESS and _ends_the_process(current):
        _limited(current)
        raise ApartError(LIMITED)
    refused = hostile.fate is Fate.REFUSED
    _ask_all(
        current,
        ("run", "verify", "predict", "evaluate", "doctor", "bench"),
        refused,
        hostile.name,
        may_verify=not refused,
    )


def _mutated(current: Try) -> None:
    which = current.random.randrange(2)
    content, references = _whole()[which]
    places = _places(which) if current.random.random() < 0.85 else None
    content = mutate(content, current.random, places)
    rebind = current.random.random() < 0.6
    _write(current, content, references, rebind=rebind)
    asked = ["run", "verify", "predict"]
    asked += [
        name
        for name, one_in in (("evaluate", 4), ("doctor", 10), ("bench", 25))
        if not current.random.randrange(one_in)
    ]
    same = content == _whole()[which][0]
    _ask_all(current, tuple(asked), refused=False, name="mutated", may_verify=rebind or same)


def _write(current: Try, model: bytes, references: bytes, *, rebind: bool) -> None:
    current.write("m.onnx", model)
    current.write("m.references.npz", bound(references, model) if rebind else references)
    (current.folder / "7").mkdir()
    current.write("7/seven.png", enlarged(7))


def _job(current: Try, command: str, seconds: float = 60.0) -> Job:
    as_json = current.random.random() < 0.5
    options = ("--model", "m.onnx", *(["--json"] if as_json else []))
    modules = {name: f"mnistsum_runtime.commands.{name}:main" for name in ("run", "verify", "evaluate", "doctor")}
    modules |= {"bench": "campaign.in_process:bench_shortly", "predict": "campaign.in_process:predict_with_model"}
    arguments = {"run": ("7/seven.png", "4"), "evaluate": (".",)}.get(command, ())
    argv = ("m.onnx",) if command == "predict" else (*arguments, *options)
    return Job(modules[command], argv, str(current.folder), seconds=seconds)


def _ends_the_process(current: Try) -> bool:
    """Whether a file that nobody can judge beforehand does what it can do."""
    end = current.server.run(_job(current, "run", PATIENCE))
    return end.late or end.code < 0 or end.peak > PEAK


def _limited(current: Try) -> None:
    """The two ways that the product has for such a file."""
    job = Job("campaign.in_process:verify_limited", ("m.onnx", str(PATIENCE)), str(current.folder), seconds=60)
    judge(current.server.run(job), "mnistsum-verify", (3,))
    job = Job("campaign.in_process:doctor_soon", ("--model", "m.onnx", "--json"), str(current.folder), seconds=60)
    end = current.server.run(job)
    judge(end, "mnistsum-doctor", (1,), may_note=True)
    require(strict_json(end.out)["ok"] is False and not end.err, f"the doctor: {end.shown()}")


def _ask_all(current: Try, commands: tuple[str, ...], refused: bool, name: str, *, may_verify: bool = False) -> None:
    for command in commands:
        job = _job(current, command)
        end = current.server.run(job)
        try_of = f"{name}, mnistsum-{command} {' '.join(job.argv)}"
        require(end.peak < PEAK, f"{try_of}: too much memory: {end.shown()}")
        if command == "predict":
            _judge_predict(end, refused, try_of)
        else:
            _judge_command(end, command, "--json" in job.argv, refused, may_verify, try_of)


def _judge_predict(end: End, refused: bool, asked: str) -> None:
    said = end.out.decode(errors="replace")
    wanted = ("ModelError",) if refused else ("ModelError", "answer")
    require(end.code == 0 and said in wanted and not end.err, f"{asked}: {end.shown()}")


def _judge_command(end: End, command: str, as_json: bool, refused: bool, may_verify: bool, asked: str) -> None:
    good: tuple[int, ...] = {"doctor": (0, 1), "verify": (1, 3)}.get(command, (0, 3))
    if refused:
        good = {"doctor": (1,), "verify": (1, 3)}.get(command, (3,))
    elif command == "verify" and may_verify:
        good = (0, 1, 3)
    may_note = command == "doctor" or (command == "verify" and end.code == 1)
    judge(end, f"mnistsum-{command}", good, may_note=may_note)
    require(not (may_note and end.err), f"{asked}: lines beside the result: {end.shown()}")
    require(end.code != 3 or not end.out, f"{asked}: a result beside an error: {end.shown()}")
    if as_json and end.out:
        strict_json(end.out)


CAMPAIGN = Campaign(
    "models",
    f"{len(GRAPHS)} hostile graphs made by hand and mutated models, through every command and `Predictor`",
    (24, 500, 2400),
    attempt,
)
