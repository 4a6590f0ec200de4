"""How fast this device is, and how much memory it takes: every function measures one thing and returns figures.

Times of this size differ from minute to minute on a machine that does other things too. What is to be compared is
therefore measured in turn, and told as medians and ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.contract import DIGIT, IMAGE, IMAGE_SIZE, NUMBER, NUMBERS
from mnistsum_runtime.measure.processes import start_alternating
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.proof.model_file import open_model_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.model import Model
    from mnistsum_runtime.proof.references import References

PICTURE_SIDE = 200
"""Height and width of the pictures that are made to be read, in pixels."""
_CHUNK = 64
"""Pictures that are decoded, then answered, in turn: one batch of the network."""
_READERS = 4
"""Threads that read and answer side by side, as those of a server do."""
_LEARNED_AFTER = 20
"""Calls that are made before the clock counts: caches, page faults, the processor's frequency."""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    starts: int = 20
    """Starts of each whole process."""
    sessions: int = 20
    """Sessions that are made anew."""
    seconds: float = 1.0
    """For each kind of warm call."""
    pictures: int = 2000
    """Files of the folder."""


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    group: str
    """Heading under which it is shown."""
    name: str
    """What was measured; unique within the group."""
    value: float
    unit: str
    """`ms`, `us`, `MB` (10^6 bytes), `/s`, `x` (a ratio) or `%`."""


@dataclass(frozen=True, eq=False)
class Workload:
    """A model file, and one row of each of its inputs."""

    path: str
    inputs: dict[str, NDArray[Any]]
    """[1, ...] each."""
    outputs: list[str]

    def bare_run(self, session: Any, batch: int) -> Callable[[], Any]:
        """`session.run` with inputs that are ready: what no wrapper can be faster than."""
        feed = {name: np.repeat(row, batch, axis=0) for name, row in self.inputs.items()}
        return lambda: session.run(self.outputs, feed)


def network_workload(model: Model) -> Workload:
    """A bar of ink and the number 4."""
    inputs = {IMAGE: _field(), NUMBER: np.eye(NUMBERS, dtype=np.float32)[4:5]}
    return Workload(model.path, inputs, [DIGIT, model.operation.name])


def ask_once(model: Model) -> None:
    """One answer, so that a file that loads and cannot be run is told before it is measured.

    Raises:
        ModelError: onnxruntime cannot run it, or its answer is none.
    """
    Predictor.of(model).predict((_field()[0, 0] * np.float32(255)).astype(np.uint8), 4)


def recorded_workload(path: str, references: References) -> Workload:
    """The first row of what is recorded beside a file of any network."""
    return Workload(path, {name: rows[:1] for name, rows in references.inputs.items()}, list(references.outputs))


def measure(model: str, threads: tuple[int, ...], folder: Path, effort: Effort) -> Iterator[Figure]:
    """Everything that there is to measure of a model that reads digits, in the order in which it is shown.

    Args:
        model: The model file.
        threads: Numbers of threads whose throughput is measured; all else runs on one.
        folder: An empty folder, for the pictures.
        effort: How long to measure.
    """
    scans, drawings = folder / "scans", folder / "drawings"
    files = make_pictures(scans, effort.pictures, grain=2)
    yield from measure_processes(effort, model, files[0])
    predictor = Predictor(model)
    workload = network_workload(predictor.model)
    yield from measure_sessions(workload, effort)
    yield from measure_warm(predictor, workload, effort)
    yield from measure_throughput(workload, threads, effort)
    yield from measure_files(predictor, files, "")
    yield from measure_threads(predictor, files)
    # Of which Pillow decodes almost three times as many: the share that is left for an answer is smaller.
    yield from measure_files(predictor, make_pictures(drawings, effort.pictures, grain=0), ", without grain")


def measure_any(workload: Workload, threads: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """What can be measured of a file of any network: processes, sessions, one row, batches."""
    yield from measure_processes(effort)
    yield from measure_sessions(workload, effort)
    run = workload.bare_run(open_model_file(workload.path).session, 1)
    yield from _percentiles("one row, warm", "session.run", time_repeated(run, effort.seconds))
    yield from measure_throughput(workload, threads, effort)


def measure_processes(effort: Effort, model: str | None = None, picture: Path | None = None) -> Iterator[Figure]:
    """Whole processes: how long a user waits, and the memory at its peak.

    Args:
        effort: How often to start each.
        model: Of a model that reads digits, its file: then `mnistsum-run` is one of the processes.
        picture: What that is given.
    """
    commands = {
        "python": [sys.executable, "-P", "-c", "pass"],
        "import onnxruntime": [sys.executable, "-P", "-c", "import onnxruntime"],
    }
    if model is not None:
        from mnistsum_runtime.model import shipped_model

        run = "from mnistsum_runtime.commands.launch import run; run()"  # what the script `mnistsum-run` does
        options = [] if model == shipped_model() else ["--model", model]
        commands["mnistsum-run"] = [sys.executable, "-P", "-c", run, str(picture), "4", *options]
    starts = dict(zip(commands, start_alternating(list(commands.values()), effort.starts), strict=True))
    for name, each in starts.items():
        yield Figure("whole process", name, statistics.median(start.seconds for start in each) * 1e3, "ms")
    if "mnistsum-run" in starts:
        pairs = list(zip(starts["mnistsum-run"], starts["import onnxruntime"], strict=True))
        ratio = statistics.median(run.seconds / bare.seconds for run, bare in pairs)
        yield Figure("whole process", "mnistsum-run / import onnxruntime", ratio, "x")
    peaks = {
        name: statistics.median(start.peak_bytes for start in each if start.peak_bytes is not None) / 1e6
        for name, each in starts.items()
        if each[0].peak_bytes is not None
    }
    for name, peak in peaks.items():
        yield Figure("peak memory", name, peak, "MB")
    if "mnistsum-run" in peaks:
        over = peaks["mnistsum-run"] - peaks["import onnxruntime"]
        yield Figure("peak memory", "mnistsum-run over import onnxruntime", over, "MB")


def measure_sessions(workload: Workload, effort: Effort) -> Iterator[Figure]:
    """A session made anew, and its first inference."""
    made, first = [], []
    for _ in range(effort.sessions):
        before = time.perf_counter()
        opened = open_model_file(workload.path)
        between = time.perf_counter()
        workload.bare_run(opened.session, 1)()
        made.append(between - before)
        first.append(time.perf_counter() - between)
    yield Figure("session", "creation", statistics.median(made) * 1e3, "ms")
    yield Figure("session", "first inference", statistics.median(first) * 1e3, "ms")


def measure_warm(predictor: Predictor, workload: Workload, effort: Effort) -> Iterator[Figure]:
    """One picture of 28x28 at a time, one thread: onnxruntime alone, and with what mnistsum adds."""
    picture = (_field()[0, 0] * np.float32(255)).astype(np.uint8)
    run = workload.bare_run(predictor.model.session, 1)
    bare, whole = time_alternating(run, lambda: predictor.predict(picture, 4), effort.seconds)
    yield from _percentiles("one picture, warm", "session.run", bare)
    yield from _percentiles("one picture, warm", "predict", whole)
    ratio = float(np.median(whole) / np.median(bare))
    yield Figure("one picture, warm", "predict / session.run", ratio, "x")


def _percentiles(group: str, name: str, times: list[float]) -> Iterator[Figure]:
    for percent in (50, 95, 99):
        yield Figure(group, f"{name} p{percent}", float(np.percentile(times, percent)) * 1e6, "us")


def measure_throughput(workload: Workload, threads: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Rows a second through the network, for each number of threads and each batch size."""
    for count in threads:
        session = open_model_file(workload.path, count).session
        for batch in (1, 8, 64):
            seconds = time_repeated(workload.bare_run(session, batch), effort.seconds / 2)
            name = f"batch {batch:>2}, {count} thread{'s'[: count != 1]}"
            yield Figure("throughput of the network", name, batch / float(np.median(seconds)), "/s")


def measure_files(predictor: Predictor, files: list[Path], kind: str) -> Iterator[Figure]:
    """Pictures a second from files, one thread: decoded with Pillow alone, and decoded, prepared and answered.

    Args:
        predictor: Answers.
        files: Pictures of `make_pictures`.
        kind: Added to the group's name.
    """
    from PIL import Image

    def decode(path: Path) -> None:
        with Image.open(path) as image:
            image.load()

    decode(files[0])
    predictor.predict_many(files[:1], 4)
    decoding = answering = 0.0
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        before = time.perf_counter()
        for path in chunk:
            decode(path)
        between = time.perf_counter()
        predictor.predict_many(chunk, 4)
        decoding += between - before
        answering += time.perf_counter() - between
    group = f"{len(files)} grey PNG files, {PICTURE_SIDE}x{PICTURE_SIDE}{kind}"
    yield Figure(group, "decoded", len(files) / decoding, "/s")
    yield Figure(group, "decoded, prepared and answered", len(files) / answering, "/s")
    yield Figure(group, "answered / decoded", 100 * decoding / answering, "%")


def measure_threads(predictor: Predictor, files: list[Path]) -> Iterator[Figure]:
    """Pictures a second from files through `predict`: by one thread, and by several that share the predictor.

    Args:
        predictor: Answers.
        files: Pictures of `make_pictures`.
    """

    def answer(paths: list[Path]) -> None:
        for path in paths:
            predictor.predict(path, 4)

    alone = together = 0.0
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(files), _READERS * _CHUNK):
            chunk = files[start : start + _READERS * _CHUNK]
            before = time.perf_counter()
            answer(chunk)
            between = time.perf_counter()
            list(pool.map(answer, [chunk[reader::_READERS] for reader in range(_READERS)]))
            alone += between - before
            together += time.perf_counter() - between
    group = "threads that answer from the grey PNG files"
    yield Figure(group, "1 thread", len(files) / alone, "/s")
    yield Figure(group, f"{_READERS} threads", len(files) / together, "/s")
    yield Figure(group, f"{_READERS} threads / 1 thread", alone / together, "x")


def make_pictures(folder: Path, count: int, grain: int) -> list[Path]:
    """Write pictures of soft dark strokes on white paper, a seven each, no two alike; their paths.

    Args:
        folder: Is made.
        count: How many.
        grain: Levels up and down by which pixels differ at random, as those of a scan do: 2 or so.
    """
    from PIL import Image, ImageDraw

    random = np.random.default_rng(0)
    folder.mkdir()
    paths = []
    for index in range(count):
        points = np.array([[14, 12], [36, 12], [22, 40]]) + random.uniform(-4, 4, (3, 2))
        small = Image.new("L", (50, 50), 240)
        line = [(float(x), float(y)) for x, y in points]
        ImageDraw.Draw(small).line(line, fill=30, width=int(random.integers(3, 6)), joint="curve")
        path = folder / f"{index:05}.png"
        smooth = np.asarray(small.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC))
        noise = random.integers(-grain, grain + 1, smooth.shape)
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(path)
        paths.append(path)
    return paths


def time_repeated(function: Callable[[], object], seconds: float) -> list[float]:
    """Call again and again for `seconds`, but at least once; the seconds that each call took."""
    return time_alternating(function, lambda: None, seconds)[0]


def time_alternating(
    one: Callable[[], object], other: Callable[[], object], seconds: float
) -> tuple[list[float], list[float]]:
    """Call two functions in turn for `seconds`, but at least once; the seconds that each call took."""
    for _ in range(_LEARNED_AFTER):
        one()
        other()
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while not times[0] or time.perf_counter() < end:
        before = time.perf_counter()
        one()
        between = time.perf_counter()
        other()
        times[1].append(time.perf_counter() - between)
        times[0].append(between - before)
    return times


def _field() -> NDArray[np.float32]:
    """One picture as the network reads it, [1, 1, 28, 28]: a bar of ink."""
    field = np.zeros((1, 1, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    field[..., 4:24, 12:16] = 1
    return field
