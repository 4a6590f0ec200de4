"""Folds: every picture is answered once by a network that has not learnt from it, and all of that can be resumed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

import mnistsum_train.folds
import mnistsum_train.run
from calling import Called, assert_one_line, call
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import SUM
from mnistsum_train.checkpoint import Checkpoint, read_safetensors, write_safetensors
from mnistsum_train.cli import command as train_command
from mnistsum_train.data import Part, shuffled
from mnistsum_train.evaluation import Answers
from mnistsum_train.folds import (
    ANSWERS_FILE,
    FOLDS,
    Comparison,
    all_right,
    command,
    compare,
    read_held_out,
    run_folds,
    screened,
    split_fold,
)
from mnistsum_train.held_out import HeldOut, vary
from mnistsum_train.presets import BASE, NANO
from mnistsum_train.recipe import Architecture, Recipe
from small_training import load_few

RECIPE = Recipe(epochs=8, batch_size=16, averaging=0.9, architecture=Architecture(widths=(4, 4, 8), dense=16, gate=4))


def call_folds(*arguments: object) -> Called:
    """The command on few pictures and a small network, two folds of eight epochs."""
    preset = replace(BASE, recipe=RECIPE)
    with (
        mock.patch.object(mnistsum_train.folds, "load_mnist", load_few),
        mock.patch.dict("mnistsum_train.folds.PRESETS", {"base": preset}),
        mock.patch.object(mnistsum_train.folds, "SCREENING_EPOCHS", 8),
    ):
        return call(command, "--screen", *arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished screening."""
    out = tmp_path_factory.mktemp("folds")
    called = call_folds("--out", out)
    assert called.code == 0, called.err
    return out


def test_every_picture_is_held_out_once_and_each_digit_in_its_share(training_pictures: Part) -> None:
    indices = Part(torch.arange(60_000), training_pictures.labels)
    parts = [split_fold(indices, fold) for fold in range(FOLDS)]
    assert torch.equal(torch.cat([held.images for _, held in parts]).sort().values, torch.arange(60_000))
    for training, held in parts:
        assert len(held) == pytest.approx(10_000, abs=10)
        assert torch.equal(torch.cat([training.images, held.images]).sort().values, torch.arange(60_000))
        assert (torch.bincount(held.labels) - torch.bincount(training_pictures.labels) / 6).abs().max() <= 1


def test_record_counts_what_the_answers_say(finished: Path) -> None:
    record = json.loads((finished / "folds.json").read_text())
    held_out = read_held_out(finished, RECIPE)
    assert (record["folds"], record["pictures"]) == (2, len(held_out.labels))
    assert sum(record["both_of_each_fold"]) / 2 == pytest.approx(record["both"])
    assert record["both"] > 0.05
    value_truth = torch.tensor(SUM.class_table())[held_out.labels]
    both = (held_out.plain.digit.argmax(-1) == held_out.labels[:, None]) & (
        held_out.plain.value.argmax(-1) == value_truth
    )
    assert record["both"] == pytest.approx(both.double().mean().item())


def test_finished_folds_are_not_trained_again(finished: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in finished.glob("fold-*/*")}
    record = (finished / "folds.json").read_text()
    assert call_folds("--out", finished).code == 0
    assert {file: file.stat().st_mtime_ns for file in finished.glob("fold-*/*")} == before
    assert (finished / "folds.json").read_text() == record


def test_a_fold_that_was_interrupted_gives_the_same_answers(finished: Path, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    part = shuffled(load_few(train=True))
    with mock.patch.object(mnistsum_train.run, "fit_gate", side_effect=StopError), pytest.raises(StopError):
        run_folds(RECIPE, 1, tmp_path, part)
    assert not (tmp_path / "fold-0" / ANSWERS_FILE).exists()
    (again,) = run_folds(RECIPE, 1, tmp_path, part)
    first, _ = HeldOut.load(finished / "fold-0" / ANSWERS_FILE)
    assert torch.equal(again.plain.digit, first.plain.digit)
    assert torch.equal(again.varied.value, first.varied.value)


def test_folds_of_another_recipe_are_refused(finished: Path) -> None:
    other = replace(RECIPE, weight_decay=0.2)
    with pytest.raises(CallError, match="another recipe"):
        read_held_out(finished, other)
    with pytest.raises(CallError, match=r"weight decay 0\.05 -> 0\.2\): name another --out"):
        run_folds(other, 1, finished, shuffled(load_few(train=True)))
    read_held_out(finished, replace(RECIPE, seed=5, epochs=9))  # neither changes what is judged


DAMAGE: dict[str, Callable[[dict[str, torch.Tensor], dict[str, Any]], object]] = {
    "no labels": lambda tensors, _: tensors.pop("labels"),
    "labels that are no digits": lambda tensors, _: tensors["labels"].fill_(10),
    "labels with fractions": lambda tensors, _: tensors.update(labels=tensors["labels"].float()),
    "fewer labels": lambda tensors, _: tensors.update(labels=tensors["labels"][1:].clone()),
    "no answers": lambda tensors, _: tensors.pop("plain.digit"),
    "answers of another shape": lambda tensors, _: tensors.update({"varied.value": torch.zeros(3)}),
    "an answer that is no number": lambda tensors, _: tensors["plain.value"].fill_(math.nan),
    "no identity": lambda _, description: description.pop("identity"),
    "an identity that is text": lambda _, description: description.update(identity="mine"),
    "an operation that is none": lambda _, description: description["identity"]["recipe"].update(operation="quotient"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_answers_are_exit_3_and_one_line(
    finished: Path, tmp_path: Path, damage: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]
) -> None:
    (tmp_path / "fold-0").mkdir()
    tensors, description = read_safetensors(finished / "fold-0" / ANSWERS_FILE)
    damage(tensors, description)
    del description["format"], description["tensors_sha256"]
    write_safetensors(tmp_path / "fold-0" / ANSWERS_FILE, tensors, description)
    assert_one_line(call(train_command, "--folds", tmp_path, "--out", tmp_path / "out"), 3, "is damaged", ANSWERS_FILE)
    assert not (tmp_path / "out").exists()


def test_a_recipe_without_a_teacher_s_entry_is_another_one(finished: Path, tmp_path: Path) -> None:
    held_out, identity = HeldOut.load(finished / "fold-0" / ANSWERS_FILE)
    for teacher in ({}, {"teacher": "none"}):
        recipe = {name: value for name, value in identity["recipe"].items() if name != "teacher"} | teacher
        (tmp_path / "fold-0").mkdir(exist_ok=True)
        held_out.save(tmp_path / "fold-0" / ANSWERS_FILE, {"recipe": recipe | {"epochs": 1, "lr": 1}})
        with pytest.raises(CallError, match="another recipe"):
            read_held_out(tmp_path, RECIPE)


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    assert_one_line(call_folds("--out", tmp_path / "a", "--against", tmp_path), 2, "holds no finished fold")
    assert_one_line(call(train_command, "--out", tmp_path / "b", "--folds", tmp_path), 2, "holds no finished fold")
    assert_one_line(call(train_command, "--folds", tmp_path, "--limit", "100"), 2, "leave out --limit")
    assert not (tmp_path / "b").exists()


def test_a_network_calibrated_by_folds_learns_from_all_pictures(finished: Path, tmp_path: Path) -> None:
    preset = replace(BASE, recipe=RECIPE)
    with (
        mock.patch.object(mnistsum_train.run, "load_mnist", load_few),
        mock.patch.dict("mnistsum_train.cli.PRESETS", {"base": preset}),
    ):
        called = call(train_command, "--folds", finished, "--out", tmp_path / "out")
    assert called.code == 0, called.err
    assert "validation" not in called.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["training_images"] == 300
    assert report["last_epoch"]["validation_both"] is None
    assert report["held_out"]["pairs"] == 10 * json.loads((finished / "folds.json").read_text())["pictures"]
    facts = Checkpoint.load(tmp_path / "out" / "checkpoint.safetensors").facts
    assert facts["calibration"]["digit_temperature"] > 0


def held_out_of(right: list[bool]) -> HeldOut:
    """Answers for ones, right or wrong with all numbers."""
    digit = torch.zeros(len(right), 10, 10)
    value = torch.zeros(len(right), 10, 19)
    for index, good in enumerate(right):
        digit[index, :, 1 if good else 2] = 1
        value[index, torch.arange(10), torch.arange(10) + 1] = 1
    answers = Answers(digit, value)
    return HeldOut(torch.ones(len(right), dtype=torch.int64), answers, answers, {})


def test_comparison_counts_the_pictures_that_one_alone_gets_right() -> None:
    first, second = held_out_of([True, True, False, False]), held_out_of([True, False, True, False])
    assert all_right(first, SUM).tolist() == [True, True, False, False]
    assert compare([first], [second], SUM) == Comparison(4, 1, 1)
    wrong_value = held_out_of([True])
    wrong_value.plain.value[0, 7] = torch.eye(19)[3]  # with one number of ten
    assert all_right(wrong_value, SUM).tolist() == [False]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 10, 2 / 1024), (1, 9, 22 / 1024), (10, 25, 0.0167)],
)
def test_p_value_is_that_of_the_exact_test(first: int, second: int, expected: float) -> None:
    from scipy.stats import binomtest

    assert Comparison(100, first, second).p_value == pytest.approx(expected, rel=0.01)
    if first + second:
        tested = binomtest(first, first + second).pvalue
        assert Comparison(100, first, second).p_value == pytest.approx(tested)


def test_a_screening_is_short_for_the_teacher_too() -> None:
    short = screened(NANO.recipe)
    assert short.teacher is not None
    assert (short.epochs, short.teacher.epochs) == (12, 12)


def test_varied_digits_are_the_same_every_time_and_other_than_the_plain_ones(few: Part) -> None:
    varied = vary(few)
    assert varied.dtype == torch.uint8
    assert varied.shape == few.images.shape
    assert torch.equal(varied, vary(few))
    assert (varied != few.images).flatten(1).any(dim=1).all()


@pytest.mark.slow
def test_a_cluster_trains_the_same_folds(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    found = run_folds(RECIPE, 2, tmp_path, shuffled(load_few(train=True)), ray="local")
    for fold, held_out in enumerate(found):
        first, _ = HeldOut.load(finished / f"fold-{fold}" / ANSWERS_FILE)
        assert torch.equal(held_out.labels, first.labels)
        assert torch.allclose(held_out.plain.digit, first.plain.digit, atol=1e-3)
