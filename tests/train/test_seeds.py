"""The spread over seeds: finished trainings are not made again, figures are means of reports, the sheet is drawn."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import mnistsum_train.studies.seeds
from calling import call
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import SUM
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import Part, load_mnist
from mnistsum_train.evaluation import Answers
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.plots import MISTAKES_HEAD, MISTAKES_ROW, mistakes_over_seeds
from mnistsum_train.presets import NANO
from mnistsum_train.recipe import Architecture, Recipe
from mnistsum_train.studies.label_errors import DOUBTED
from mnistsum_train.studies.seeds import SEEDS, summarise, train_or_read

RECIPE = Recipe(epochs=2)
FOLDS = Path("folds")


def report(recipe: Recipe, both: float) -> dict[str, Any]:
    test = {"digit": both + 0.001, "value": both + 0.0005, "both": both, "agree": 0.9995}
    return {
        "recipe": recipe.to_dict(),
        "members": 1,
        "parameters": 9,
        "machine": {},
        "training_seconds": 3.0,
        "test": test,
    }


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """Where something is trained, and whether it is gone on with; the training itself takes no time."""
    calls: list[tuple[Path, bool]] = []

    def pretend(recipe: Recipe, members: int, out: Path, *_: object, folds: Path, resume: bool) -> None:
        assert folds == FOLDS
        calls.append((out, resume))
        out.mkdir(exist_ok=True)
        (out / "report.json").write_text(json.dumps(report(recipe, 0.5) | {"members": members}))

    monkeypatch.setattr(mnistsum_train.studies.seeds, "run_members", pretend)
    return calls


def test_finished_training_is_read_and_not_made_again(tmp_path: Path, trained: list[tuple[Path, bool]]) -> None:
    first = train_or_read(RECIPE, 1, tmp_path / "a", FOLDS)
    assert train_or_read(RECIPE, 1, tmp_path / "a", FOLDS) == first
    assert len(trained) == 1


@pytest.mark.parametrize(("epochs", "members", "told"), [(3, 1, "epochs 2 -> 3"), (2, 2, "members 1 -> 2")])
def test_finished_training_of_other_options_is_not_written_over(
    tmp_path: Path, trained: list[tuple[Path, bool]], epochs: int, members: int, told: str
) -> None:
    train_or_read(RECIPE, 1, tmp_path / "a", FOLDS)
    with pytest.raises(CallError, match=told):
        train_or_read(replace(RECIPE, epochs=epochs), members, tmp_path / "a", FOLDS)
    assert len(trained) == 1


def test_training_that_was_not_finished_is_gone_on_with(tmp_path: Path, trained: list[tuple[Path, bool]]) -> None:
    train_or_read(RECIPE, 1, tmp_path / "a", FOLDS)
    assert trained == [(tmp_path / "a", True)]


def test_summary_has_mean_and_standard_deviation_of_the_seeds() -> None:
    size = summarise([report(replace(RECIPE, seed=seed), both) for seed, both in enumerate((0.99, 0.992, 0.994))])
    assert size["mean"]["both"] == pytest.approx(0.992)
    assert size["standard_deviation"]["both"] == pytest.approx(0.002)
    assert [(row["seed"], row["both"]) for row in size["seeds"]] == [(0, 0.99), (1, 0.992), (2, 0.994)]
    assert "seed" not in size["recipe"]


def test_single_seed_has_no_spread() -> None:
    assert summarise([report(RECIPE, 0.99)])["standard_deviation"] == {}


def test_base_has_enough_seeds_for_a_spread() -> None:
    assert list(SEEDS) == ["base", "nano", "large"]
    assert SEEDS["base"] >= 2


def test_doubted_pictures_are_where_the_study_says() -> None:
    """Labels that the study gives beside its indices: they are of the same test set in the same order."""
    labels = load_mnist(train=False).labels[sorted(DOUBTED)].tolist()
    assert labels == [8, 0, 9, 4, 2, 5, 6, 6, 5, 5, 0, 1, 4, 6, 5]


def right_answers(test: Part) -> Answers:
    values = torch.tensor(SUM.class_table())[test.labels]
    return Answers(F.one_hot(test.labels, 10)[:, None].expand(-1, 10, -1).float() * 9, F.one_hot(values, 19).float())


def panels_of(sheet: bytes) -> int:
    """Height of the sheet in rows of pictures, from its own size."""
    with Image.open(BytesIO(sheet)) as picture:
        picture.load()
        return round((picture.height / 110 - MISTAKES_HEAD) / MISTAKES_ROW)


def test_sheet_grows_with_the_pictures_that_any_seed_gets_wrong() -> None:
    test = load_mnist(train=False).first(60)
    right, wrong = right_answers(test), right_answers(test)
    wrong.value[:, 3] = 0  # all sums with 3 are now said to be 0
    assert panels_of(mistakes_over_seeds([right, right], test, SUM)) == 1
    assert panels_of(mistakes_over_seeds([right, wrong], test, SUM)) == 8


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings take no time, and the test set is small."""

    def pretend(recipe: Recipe, members: int, out: Path, *_: object, **__: object) -> None:
        out.mkdir(parents=True)
        (out / "report.json").write_text(json.dumps(report(recipe, 0.9 + recipe.seed / 100) | {"members": members}))
        Checkpoint(TwoInputNetwork(SUM, Architecture((4, 6, 8), dense=16)).eval()).save(out / "checkpoint.safetensors")

    monkeypatch.setattr(mnistsum_train.studies.seeds, "run_members", pretend)
    monkeypatch.setattr(mnistsum_train.studies.seeds, "load_mnist", lambda train: load_mnist(train).first(30))


@pytest.mark.usefixtures("pretended")
def test_command_writes_figures_of_every_size_and_the_sheet(tmp_path: Path) -> None:
    called = call(mnistsum_train.studies.seeds.command, "--runs", tmp_path, "--out", tmp_path / "out")
    assert called.code == 0, called.err
    record = json.loads((tmp_path / "out" / "seeds.json").read_text())
    assert {name: len(size["seeds"]) for name, size in record.items()} == SEEDS
    assert record["base"]["mean"]["both"] == pytest.approx(0.9 + 0.01 * (SEEDS["base"] - 1) / 2)
    assert record["nano"]["recipe"]["architecture"] == NANO.recipe.to_dict()["architecture"]
    assert panels_of((tmp_path / "out" / "mistakes_over_seeds.png").read_bytes()) == 4


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("name", ["base", "nano"])
def test_command_trains_only_the_sizes_that_are_named(tmp_path: Path, name: str) -> None:
    called = call(mnistsum_train.studies.seeds.command, "--runs", tmp_path, "--out", tmp_path / "out", "--preset", name)
    assert called.code == 0, called.err
    assert list(json.loads((tmp_path / "out" / "seeds.json").read_text())) == [name]
    assert (tmp_path / "out" / "mistakes_over_seeds.png").exists() is (name == "base")
