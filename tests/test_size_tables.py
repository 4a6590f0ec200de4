"""The tables of sizes, seeds and the race say what their files say; what is measured is what is there."""

import json
from pathlib import Path
from typing import Any

import pytest

import make_tables
import measure_sizes
from mnistsum_runtime.measure.bench import Effort
from mnistsum_runtime.operations import OPERATIONS, SUM
from tiny_model import make_tiny_model

REPORT = {
    "members": 1,
    "parameters": 9876,
    "training_seconds": 90.0,
    "recipe": {"epochs": 12},
    "test": {"digit": 0.9966, "value": 0.9955, "both": 0.9944, "agree": 0.9977},
    "machine": {"device": "a processor", "cores": 2, "threads": 1},
}


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where both scripts look: a base of both operations, and a nano."""
    monkeypatch.setattr(make_tables, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(measure_sizes, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(measure_sizes, "EFFORT", Effort(seconds=0.01))
    monkeypatch.setattr(measure_sizes, "ROUNDS", 1)
    models = {f"mnistsum_artifacts/mnistsum-{operation.name}": operation for operation in OPERATIONS.values()}
    for name, operation in (models | {"sum-nano/mnistsum-sum-nano": SUM}).items():
        path = tmp_path / f"{name}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_tiny_model(operation).SerializeToString())
    for folder in ("sum", "product", "sum-nano"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "report.json").write_text(json.dumps(REPORT))
    return tmp_path


def rows(table: str) -> list[list[str]]:
    """Cells of each row below the headings."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_size_that_is_there_gets_a_row(artifacts: Path) -> None:
    assert measure_sizes.main() == 0
    found = rows(make_tables.sizes_table())
    assert [row[0] for row in found] == ["nano, sum", "base, sum", "base, product"]
    size = (artifacts / "mnistsum_artifacts" / "mnistsum-sum.onnx").stat().st_size
    assert found[1][1:8] == [
        "9,876",
        f"{size:,}",
        "99.66 %",
        "99.55 %",
        "99.44 %",
        "99.77 %",
        "1.5 min, 12 epochs",
    ]
    assert found[1][8].endswith(" us (1.00 x)")


def test_several_members_are_told(artifacts: Path) -> None:
    (artifacts / "sum-nano" / "report.json").write_text(json.dumps(REPORT | {"members": 5}))
    measure_sizes.main()
    assert [row[7] for row in rows(make_tables.sizes_table())][:2] == ["1.5 min, 5 x 12 epochs", "1.5 min, 12 epochs"]


def test_latency_is_of_each_model_in_microseconds(artifacts: Path) -> None:
    measure_sizes.main()
    for entry in json.loads((artifacts / "sizes.json").read_text()):
        assert 0 < entry["latency_us"]["session.run"] < entry["latency_us"]["predict"] < 1e6


def test_seeds_have_mean_spread_and_each_figure(artifacts: Path) -> None:
    figures = {"digit": 0.998, "value": 0.9979, "both": 0.99775, "agree": 0.9996}
    seeds: list[dict[str, Any]] = [{"seed": 0, "both": 0.9978}, {"seed": 1, "both": 0.9977}]
    size = {"parameters": 1234, "seeds": seeds, "mean": figures, "standard_deviation": dict.fromkeys(figures, 0.00012)}
    (artifacts / "seeds.json").write_text(json.dumps({"base": size}))
    (row,) = rows(make_tables.seeds_table())
    assert row[:3] == ["base", "2", "1,234"]
    assert row[5] == "99.775 +- 0.012 %"
    assert row[7] == "99.78, 99.77"


def race(example: list[dict[str, float]], ratio: float | None) -> str:
    ours = [{"epochs": 1, "seconds": 4.0, "accuracy": 0.985}, {"epochs": 1.5, "seconds": 6.0, "accuracy": 0.991}]
    runners = {"ours": ours, "example": example}
    record = {
        "target": 0.99,
        "ratio": ratio,
        "machine": {"threads": 2, "device": "a processor"},
    } | {
        name: {"name": name, "judged_by": "digit", "parameters": 10, "curve": curve} for name, curve in runners.items()
    }
    (make_tables.ARTIFACTS / "race.json").write_text(json.dumps(record))
    return make_tables.race_table()


@pytest.mark.usefixtures("artifacts")
def test_race_names_the_first_evaluation_at_the_target() -> None:
    table = race(
        [{"epochs": 1, "seconds": 60.0, "accuracy": 0.98}, {"epochs": 2, "seconds": 120.0, "accuracy": 0.99}], 0.05
    )
    assert rows(table) == [
        ["ours", "digit", "10", "1.5", "6.0", "99.10 %"],
        ["example", "digit", "10", "2", "120.0", "99.00 %"],
    ]
    assert "20 times as fast" in table


@pytest.mark.usefixtures("artifacts")
def test_race_that_is_not_finished_says_so() -> None:
    table = race([{"epochs": 14, "seconds": 60.0, "accuracy": 0.98}], None)
    assert rows(table)[1][3:] == ["14", "not reached", "98.00 %"]
    assert "times as fast" not in table
