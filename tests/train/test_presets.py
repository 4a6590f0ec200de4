"""Each size keeps its promise, the command makes it, and options still decide."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import mnistsum_train.ensemble
from calling import call
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM, Operation
from mnistsum_train.cli import command
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.presets import BASE, LARGE, NANO, PRESETS, Preset
from mnistsum_train.recipe import Architecture, Recipe, tell_differences

EACH_PRESET = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@pytest.mark.parametrize(
    ("preset", "operation", "most"),
    [(NANO, SUM, 10_000), (BASE, SUM, 300_000), (BASE, PRODUCT, 300_000), (LARGE, PRODUCT, 1_500_000)],
    ids=["nano", "base", "base, product", "large, product"],
)
def test_size_has_at_most_the_parameters_that_are_promised(preset: Preset, most: int, operation: Operation) -> None:
    assert preset.members * TwoInputNetwork(operation, preset.recipe.architecture).parameter_count() <= most


@EACH_PRESET
@torch.no_grad()
def test_size_answers_the_contract(preset: Preset) -> None:
    digit, value = TwoInputNetwork(SUM, preset.recipe.architecture).eval()(torch.rand(3, 1, 28, 28), torch.eye(10)[:3])
    assert (digit.shape, value.shape) == ((3, 10), (3, 19))


def test_base_is_what_a_recipe_is_by_default() -> None:
    assert BASE.recipe == Recipe()


@EACH_PRESET
def test_recipe_comes_back_from_json_as_it_was(preset: Preset) -> None:
    values = preset.recipe.to_dict()
    assert Architecture.from_dict(values["architecture"]) == preset.recipe.architecture
    assert json.loads(json.dumps(values)) == values


def test_differences_are_told_in_words() -> None:
    nano = NANO.recipe.to_dict()
    assert NANO.recipe.teacher is not None
    other = replace(NANO.recipe, epochs=3, teacher=replace(NANO.recipe.teacher, epochs=12)).to_dict()
    assert tell_differences(nano, other) == "epochs 60 -> 3, teacher's epochs 20 -> 12"
    assert tell_differences(BASE.recipe.to_dict(), nano) == (
        "epochs 20 -> 60, learning rate 0.01 -> 0.02, weight decay 0.05 -> 0.01, augmentation 1.0 -> 0.3, 21 more"
    )
    assert tell_differences(["damaged"], {"recipe": {"epochs": 3}}) == "epochs None -> 3"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, Path]]:
    """What the command asks to be trained, and where; nothing is trained."""
    calls: list[tuple[Recipe, Path]] = []

    def record(recipe: Recipe, _: int, out: Path, *__: object, **___: object) -> None:
        calls.append((recipe, out))
        raise WorkError("enough")

    monkeypatch.setattr(mnistsum_train.ensemble, "run_members", record)
    return calls


def test_command_trains_base_by_default(asked: list[tuple[Recipe, Path]]) -> None:
    call(command)
    assert asked == [(BASE.recipe, Path("runs/sum"))]


@EACH_PRESET
def test_preset_decides_what_the_options_leave_open(preset: Preset, asked: list[tuple[Recipe, Path]]) -> None:
    call(command, "--preset", preset.name, "--epochs", 3, "--lr", 0.125, "--operation", "product", "--seed", 4)
    recipe, _ = asked[0]
    assert recipe == replace(preset.recipe, epochs=3, learning_rate=0.125, operation="product", seed=4)


def test_presets_do_not_share_a_default_folder(asked: list[tuple[Recipe, Path]]) -> None:
    for name in PRESETS:
        for operation in OPERATIONS:
            call(command, "--preset", name, "--operation", operation)
    assert len({out for _, out in asked}) == len(PRESETS) * len(OPERATIONS)


def test_help_says_what_each_preset_is_for() -> None:
    shown = " ".join(call(command, "--help").out.split())
    for preset in PRESETS.values():
        assert f"{preset.name}, {preset.purpose}" in shown


def test_unknown_preset_is_exit_2(tmp_path: Path) -> None:
    called = call(command, "--preset", "huge", "--out", tmp_path / "out")
    assert called.code == 2
    assert "huge" in called.err
