"""Mutated references, `--compare` files, checkpoints and states: the documented exit code, and one line."""

from __future__ import annotations

import json
import struct
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from campaign.forking import Job
from campaign.judging import judge, strict_json
from campaign.mutating import mutate
from campaign.trying import Campaign, Try, require
from recording import write_recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**400, 1e300, "", "7", "a\x1b[2J\nverified", "\ud800", [], [[]], {}, {"a": 1}, [None],
)  # fmt: skip
"""What stands where something else is expected."""
DEEP = "[" * 200_000


def damage_json(value: Any, random: Random) -> Any:
    """Change one place of a JSON value: another value, a key more or less, an item more or less."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        match random.randrange(4):
            case 0:
                return {name: each for name, each in value.items() if name != key}
            case 1:
                return value | {str(random.choice(JUNK)): random.choice(JUNK)}
            case _:
                return value | {key: damage_json(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        changed = list(value)
        match random.randrange(3):
            case 0:
                del changed[at]
            case 1:
                changed.insert(at, random.choice(JUNK))
            case _:
                changed[at] = damage_json(changed[at], random)
        return changed
    return random.choice(JUNK)


def to_text(value: Any, random: Random) -> str:
    """The JSON text of a value, sometimes with what JSON does not have, or too deep."""
    text = json.dumps(value)
    match random.randrange(12):
        case 0:
            return text.replace("0.", random.choice(("NaN", "Infinity", "1e999", "0x1")), 1)
        case 1:
            return text[: random.randrange(len(text) + 1)]
        case 2:
            return text[:-1] + f', "deep": {DEEP}' if text.endswith("}") else DEEP
        case _:
            return text


# References.


@cache
def _recorded(folder: Path) -> tuple[bytes, bytes]:
    """A tiny model and its references."""
    path = folder.parent / "whole" / "m.onnx"
    path.parent.mkdir(exist_ok=True)
    write_recorded(path)
    return path.read_bytes(), path.with_name("m.references.npz").read_bytes()


_pair: list[tuple[bytes, bytes]] = []


def _model_and_references(current: Try) -> tuple[bytes, bytes]:
    if not _pair:
        _pair.append(_recorded(current.folder))
    return _pair[0]


def _damage_npz(content: bytes, current: Try) -> bytes:
    """References whose header or arrays are not as they were, in a whole archive."""
    path, random = current.folder / "r.npz", current.random
    path.write_bytes(content)
    with np.load(path) as archive:
        arrays = dict(archive)
    if random.random() < 0.6:
        header = damage_json(json.loads(arrays["header"].tobytes()), random)
        encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1"))
        text = to_text(header, random).encode(encoding, errors="surrogatepass" if encoding != "latin-1" else "replace")
        arrays["header"] = np.frombuffer(text, np.uint8)
    else:
        name = random.choice(list(arrays))
        array = arrays[name]
        changes: tuple[Callable[[], Any], ...] = (
            lambda: array[:0],
            lambda: array[1:],
            lambda: array.astype(np.float64),
            lambda: array.astype(np.int8),
            lambda: np.full_like(array, np.nan) if array.dtype.kind == "f" else ~array,
            lambda: array.reshape(-1),
            lambda: np.array(3),
            lambda: array.astype("U5"),
        )
        arrays[name] = random.choice(changes)()
        if random.random() < 0.2:
            del arrays[name]
    np.savez(path, **arrays)
    damaged = path.read_bytes()
    path.unlink()
    return damaged


def attempt_references(current: Try) -> None:
    """`mnistsum-verify` with references that are damaged in their bytes, or whole and wrong."""
    model, references = _model_and_references(current)
    path = current.write("m.onnx", model)
    damaged = mutate(references, current.random) if current.index % 2 else _damage_npz(references, current)
    current.write("m.references.npz", damaged)
    as_json = current.random.random() < 0.5
    argv = ("--model", path.name, *(["--json"] if as_json else []))
    end = current.server.run(Job("mnistsum_runtime.commands.verify:main", argv, str(current.folder)))
    judge(end, "mnistsum-verify", (0, 1, 3), may_note=end.code == 1)
    if as_json and end.code in (0, 1):
        found = strict_json(end.out)
        require(found["passed"] is (end.code == 0), f"the exit code is not what JSON says: {end.shown()}")
    current.figures[{0: "verified", 1: "not verified", 3: "refused"}[end.code]] += 1


# --compare.

EARLIER = {
    "format": 1,
    "device": {},
    "versions": {},
    "model": {},
    "figures": [{"group": "session", "name": "creation", "value": 1.5, "unit": "ms"}] * 3,
}


def attempt_compare(current: Try) -> None:
    """`mnistsum-bench --compare` with what no earlier run has printed; there is no model, and nothing is measured."""
    random = current.random
    text = to_text(damage_json(EARLIER, random), random).encode("utf-8", errors="surrogatepass")
    current.write("earlier.json", mutate(text, random) if random.random() < 0.3 and text else text)
    argv = ("--compare", "earlier.json", "--model", "none.onnx")
    end = current.server.run(Job("mnistsum_runtime.commands.bench:main", argv, str(current.folder)))
    judge(end, "mnistsum-bench", (2, 3))  # 3 where the file is still good: then the model is missed


# Checkpoints and states.


def _damage_safetensors(content: bytes, random: Random) -> bytes:
    """Another header in front of the same data, or the description in it changed."""
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if random.random() < 0.7 and "__metadata__" in header:
        (key,) = header["__metadata__"]
        described = damage_json(json.loads(header["__metadata__"][key]), random)
        header["__metadata__"][key] = to_text(described, random)
        text = json.dumps(header)
    else:
        text = to_text(damage_json(header, random), random)
    encoded = text.encode("utf-8", errors="surrogatepass")
    return struct.pack("<Q", len(encoded)) + encoded + data


def damage_safetensors(content: bytes, random: Random) -> bytes:
    """In the bytes, or in the header; in the data, the file's own hash finds it."""
    return mutate(content, random) if random.random() < 0.4 else _damage_safetensors(content, random)


def attempt_checkpoint(current: Try) -> None:
    """`mnistsum-export` with a damaged checkpoint: never a file."""
    from campaign.in_torch import small_checkpoint

    current.write("c.safetensors", damage_safetensors(small_checkpoint(), current.random))
    argv = ("--checkpoint", "c.safetensors", "--output", "m.onnx", "--samples", "1")
    end = current.server.run(Job("campaign.in_torch:load_checkpoint", argv, str(current.folder)))
    require(not end.late and end.code in (0, 3), f"expected 0 or 3: {end.shown()}")
    require(len(end.err.splitlines()) == (1 if end.code else 0), f"not one line: {end.shown()}")
    require(end.peak < 1_500_000_000, f"too much memory: {end.shown()}")
    current.figures["refused" if end.code else "still good"] += 1


def attempt_state(current: Try) -> None:
    """`mnistsum-train --resume` with a damaged state."""
    from campaign.in_torch import small_state

    current.write("state.safetensors", damage_safetensors(small_state(), current.random))
    end = current.server.run(Job("campaign.in_torch:resume", (), str(current.folder)))
    require(not end.late and end.code in (0, 2, 3), f"expected 0, 2 or 3: {end.shown()}")
    require(len(end.err.splitlines()) == (1 if end.code else 0), f"not one line: {end.shown()}")
    current.figures["refused" if end.code else "still good"] += 1


REFERENCES = Campaign("references", "damaged references through `mnistsum-verify`", (20, 300, 1000), attempt_references)
COMPARE = Campaign("compare", "damaged files through `mnistsum-bench --compare`", (20, 300, 1000), attempt_compare)
CHECKPOINTS = Campaign(
    "checkpoints", "damaged checkpoints as the exporter reads them", (10, 200, 1000), attempt_checkpoint, "torch"
)
STATES = Campaign("states", "damaged states as `--resume` reads them", (10, 200, 1000), attempt_state, "torch")
