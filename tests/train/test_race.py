"""The race: what the clock counts, who reaches the target when, and that the example is what it claims to be."""

import json
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

import mnistsum_train.studies.race
from calling import call
from mnistsum_train.data import Part
from mnistsum_train.presets import Preset
from mnistsum_train.recipe import Architecture, Recipe
from mnistsum_train.studies import pytorch_example
from mnistsum_train.studies.pytorch_example import ExampleNetwork, digit_accuracy, load_batches
from mnistsum_train.studies.race import Point, Runner, Stopwatch, run_example, run_ours

SMALL = Recipe(epochs=2, batch_size=16, architecture=Architecture((4, 6, 8), dense=16), augmentation=0)


def runner(*accuracies: float) -> Runner:
    return Runner("x", "digit", 1, 1, [Point(epoch, 10 * epoch, a) for epoch, a in enumerate(accuracies, 1)])


def test_seconds_are_those_of_the_first_evaluation_at_the_target() -> None:
    assert runner(0.98, 0.9899, 0.99, 0.985, 0.992).seconds == 30


def test_target_that_was_not_reached_has_no_seconds() -> None:
    assert runner(0.98, 0.9899).seconds is None


def test_clock_stands_still_while_it_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    watch = Stopwatch()
    now[0] += 2
    with watch.paused():
        now[0] += 50
    now[0] += 3
    assert watch.seconds() == pytest.approx(5)


def test_ours_is_evaluated_twice_an_epoch_and_at_the_end(few: Part) -> None:
    ours = run_ours(SMALL, few, few.first(20))
    assert [point.epochs for point in ours.curve] == [0.5, 1, 1.5, 2]
    seconds = [point.seconds for point in ours.curve]
    assert seconds == sorted(seconds)
    assert ours.pictures == 64


def test_example_has_the_parameters_of_its_description() -> None:
    assert sum(parameter.numel() for parameter in ExampleNetwork().parameters()) == 1_199_882


def batches(part: Part, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    images = (part.images.float() / 255 - 0.1307) / 0.3081
    return list(zip(torch.split(images, size), torch.split(part.labels, size), strict=True))


def test_example_learns_and_stops_at_the_target(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnistsum_train.studies.race, "TARGET", 0.3)
    example = run_example(batches(few, 8), batches(few, 32), len(few))
    assert example.curve[-1].accuracy >= 0.3
    assert all(point.accuracy < 0.3 for point in example.curve[:-1])
    assert [point.epochs for point in example.curve] == list(range(1, len(example.curve) + 1))


@torch.no_grad()
def test_digit_accuracy_is_the_share_of_right_digits(few: Part) -> None:
    network = ExampleNetwork()
    said = network.eval()(batches(few, 64)[0][0]).argmax(1)
    assert digit_accuracy(network, batches(few, 24)) == pytest.approx((said == few.labels).double().mean().item())


@pytest.mark.usefixtures("training_pictures")
def test_example_gets_normalised_pictures_in_a_new_order_each_time() -> None:
    from mnistsum_train.data import data_folder

    training = load_batches(data_folder(), train=True)
    (images, labels), (_, other) = next(iter(training)), next(iter(training))
    assert images.shape == (64, 1, 28, 28)
    assert images.min() == pytest.approx(-0.1307 / 0.3081, abs=1e-6)
    assert not torch.equal(labels, other)


def test_no_default_points_into_the_artefacts() -> None:
    shown = call(mnistsum_train.studies.race.command, "--help").out
    assert str(Path("runs/race")) in shown
    assert "artifacts" not in shown


def test_command_writes_figures_and_curves_of_both(few: Part, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mnistsum_train.studies.race, "TARGET", 0.05)
    monkeypatch.setattr(mnistsum_train.studies.race, "FAST", Preset("fast", "a test", SMALL))
    monkeypatch.setattr(mnistsum_train.studies.race, "load_mnist", lambda **_: few)
    monkeypatch.setattr(pytorch_example, "load_batches", lambda *_, **__: batches(few, 8))
    called = call(mnistsum_train.studies.race.command, "--out", tmp_path)
    assert called.code == 0, called.err
    record = json.loads((tmp_path / "race.json").read_text())
    assert record["recipe"] == SMALL.to_dict()
    for name in ("ours", "example"):
        curve = record[name]["curve"]
        reached = [point["seconds"] for point in curve if point["accuracy"] >= 0.05]
        assert record[name]["seconds"] == (reached[0] if reached else None)
    if record["ratio"]:
        assert record["ratio"] == pytest.approx(record["ours"]["seconds"] / record["example"]["seconds"])
    with Image.open(tmp_path / "race.png") as picture:
        picture.load()
