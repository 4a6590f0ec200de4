"""`mnistsum-bench`: every figure is there, comparisons are right; how fast this machine is, no test says."""

import json
from pathlib import Path

import pytest

from calling import assert_one_line, call
from mnistsum_runtime import Predictor
from mnistsum_runtime.commands import bench as bench_command
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.measure import bench
from mnistsum_runtime.measure.bench import Effort, Figure, make_pictures, measure, time_alternating
from mnistsum_runtime.measure.processes import start_alternating

SHORT = Effort(starts=1, sessions=1, seconds=0.01, pictures=3)
FIGURES = [
    Figure("session", "creation", 10.0, "ms"),
    Figure("throughput of the network", "batch  1, 1 thread", 8000.0, "/s"),
]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mnistsum-bench` whose figures are known at once."""
    monkeypatch.setattr(bench, "measure", lambda *_: iter(FIGURES))


def test_every_kind_of_figure_is_measured(model_file: Path, tmp_path: Path) -> None:
    figures = list(measure(str(model_file), (1, 2), tmp_path, SHORT))
    assert {figure.group for figure in figures} == {
        "whole process",
        "peak memory",
        "session",
        "one picture, warm",
        "throughput of the network",
        "3 grey PNG files, 200x200",
        "threads that answer from the grey PNG files",
        "3 grey PNG files, 200x200, without grain",
    }
    assert len({(figure.group, figure.name) for figure in figures}) == len(figures)
    assert all(figure.value > 0 for figure in figures if figure.unit != "MB")
    threads = [figure.name for figure in figures if figure.group == "throughput of the network"]
    assert "batch 64, 1 thread" in threads
    assert "batch 64, 2 threads" in threads


def test_pictures_differ_and_can_all_be_answered(tmp_path: Path, predictor: Predictor) -> None:
    paths = make_pictures(tmp_path / "scans", 5, grain=2)
    assert len({path.read_bytes() for path in paths}) == 5
    for path in paths:
        predictor.predict(path, 4)


def test_two_functions_are_called_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_LEARNED_AFTER", 0)
    calls: list[str] = []
    one, other = time_alternating(lambda: calls.append("one"), lambda: calls.append("other"), 0.005)
    assert len(one) == len(other) == len(calls) // 2
    assert calls == ["one", "other"] * len(one)


def test_processes_are_started_in_turn_and_the_first_is_not_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    commands = [["sh", "-c", f"echo {name} >> {log}"] for name in "ab"]
    starts = start_alternating(commands, 2)
    assert log.read_text().split() == ["a", "b"] * 3
    assert [len(each) for each in starts] == [2, 2]


def test_peak_memory_is_the_child_s_own(tmp_path: Path) -> None:
    ballast = bytearray(200_000_000)  # in this process, which is not the one that is measured
    ((start,),) = start_alternating([["true"]], 1)
    if start.peak_bytes is None:
        pytest.skip("the system does not tell peak memory")
    assert start.peak_bytes < len(ballast) / 2


def test_a_process_that_fails_is_told() -> None:
    with pytest.raises(WorkError, match=r"'false'.*ended with 1"):
        start_alternating([["false"]], 1)


@pytest.mark.usefixtures("short")
def test_the_table(model_file: Path) -> None:
    called = call(bench_command.command, "--model", model_file)
    assert (called.code, called.err) == (0, "")
    assert "session\n  creation                                      10 ms\n" in called.out
    assert "  batch  1, 1 thread                         8,000 /s\n" in called.out


@pytest.mark.usefixtures("short")
def test_json_says_what_was_measured_where(model_file: Path) -> None:
    found = json.loads(call(bench_command.command, "--model", model_file, "--json").out)
    assert found["model"]["operation"] == "sum"
    assert len(found["model"]["sha256"]) == 64
    assert found["device"]["cores"] >= 1
    assert found["versions"]["onnxruntime"]
    assert found["figures"][0] == {"group": "session", "name": "creation", "value": 10.0, "unit": "ms"}


@pytest.mark.usefixtures("short")
def test_comparison_shows_ratios(model_file: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.json"
    found = json.loads(call(bench_command.command, "--model", model_file, "--json").out)
    found["figures"][0]["value"] = 20.0
    del found["figures"][1]
    earlier.write_text(json.dumps(found))
    table = call(bench_command.command, "--model", model_file, "--compare", earlier).out
    assert "  creation                                      10 ms       20    0.50x\n" in table
    assert "  batch  1, 1 thread                         8,000 /s\n" in table
    now = json.loads(call(bench_command.command, "--model", model_file, "--compare", earlier, "--json").out)
    assert now["figures"][0]["ratio"] == 0.5
    assert "ratio" not in now["figures"][1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("", "not the output"),
        ("[1]", "not the output"),
        ('{"format": 1}', "not the output"),
        ('{"format": 1, "figures": [{"group": "a", "name": "b", "value": "fast"}]}', "not the output"),
        ('{"format": 1, "figures": [{"group": "a", "name": "b", "value": 1%s}]}' % ("0" * 400), "not the output"),
        ('{"format": 1, "figures": [{"group": "a", "name": "b", "value": NaN}]}', "not the output"),
        ("[" * 100_000, "not the output"),
        ('{"format": 9}', "format 9"),
    ],
)
def test_a_comparison_that_is_no_good_is_told_in_one_line(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "earlier.json"
    if content is not None:
        path.write_text(content)
    assert_one_line(call(bench_command.command, "--compare", path), 2, str(path), words)


def test_a_missing_model_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    assert_one_line(call(bench_command.command, "--model", tmp_path / "none.onnx"), 3, "none.onnx")
