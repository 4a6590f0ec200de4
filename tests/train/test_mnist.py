"""MNIST is read offline, verified, and split once and for all."""

import shutil
from pathlib import Path

import pytest
import torch

import mnistsum_train.data
from calling import assert_one_line, call
from mnistsum_runtime.errors import WorkError
from mnistsum_train.cli import command
from mnistsum_train.data import Part, data_folder, load_mnist, split_validation

RAW = Path(__file__).parents[2] / "artifacts" / "data" / "MNIST" / "raw"
FIRST_FILE = "train-images-idx3-ubyte.gz"


def copy_archives(root: Path) -> Path:
    """The four .gz files below another folder, without what was unpacked beside them."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in RAW.glob("*.gz"):
        shutil.copy(archive, raw)
    return raw


def without_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if installed from a wheel; returns the cache folder."""
    monkeypatch.setattr(
        mnistsum_train.data, "__file__", str(tmp_path / "lib" / "site-packages" / "package" / "data.py")
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mnistsum"


def test_both_halves_are_read_from_the_checkout_without_a_network(no_network: None) -> None:
    training, test = load_mnist(train=True), load_mnist(train=False)
    assert training.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert training.images.dtype == torch.uint8
    assert training.labels.dtype == torch.int64
    assert training.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_archives_alone_are_enough(tmp_path: Path, no_network: None, training_pictures: Part) -> None:
    copy_archives(tmp_path)
    again = load_mnist(train=True, root=tmp_path)
    assert torch.equal(again.images, training_pictures.images)
    assert torch.equal(again.labels, training_pictures.labels)


def test_reading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    load_mnist(train=False)
    assert capfd.readouterr() == ("", "")


def test_archive_with_a_flipped_byte_is_refused(tmp_path: Path, no_network: None) -> None:
    archive = copy_archives(tmp_path) / FIRST_FILE
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(WorkError, match="could not be downloaded") as caught:
        load_mnist(train=True, root=tmp_path)
    assert "\n" not in str(caught.value)
    assert not archive.with_suffix("").exists()


def test_half_unpacked_file_is_refused(tmp_path: Path, no_network: None, training_pictures: Part) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in RAW.glob("*.gz"):
        unpacked = RAW / archive.stem
        (raw / archive.stem).write_bytes(unpacked.read_bytes()[:5000])
    with pytest.raises(WorkError, match="delete any damaged file"):
        load_mnist(train=True, root=tmp_path)


def test_checkout_has_its_own_data_folder() -> None:
    assert data_folder() == RAW.parents[1]


def test_without_a_checkout_data_belongs_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = without_checkout(monkeypatch, tmp_path)
    assert data_folder() == cache
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".cache" / "mnistsum"


def test_without_checkout_and_network_training_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_network: None
) -> None:
    cache = without_checkout(monkeypatch, tmp_path)
    called = call(command, "--out", tmp_path / "out", "--limit", 10)
    assert_one_line(called, 1, str(cache), "could not be downloaded", "blocked by this test")


def test_validation_is_5000_of_60000_and_shares_no_picture_with_training(training_pictures: Part) -> None:
    # Each picture is replaced by its index, so that a picture that appears twice in MNIST does not matter.
    indices = Part(torch.arange(60_000), training_pictures.labels)
    training, validation = split_validation(indices)
    assert (len(training), len(validation)) == (55_000, 5_000)
    assert torch.cat([training.images, validation.images]).sort().values.equal(torch.arange(60_000))
    for part in (training, validation):
        assert torch.equal(part.labels, training_pictures.labels[part.images])


def test_validation_has_each_digit_in_its_own_share(training_pictures: Part) -> None:
    _, validation = split_validation(training_pictures)
    share = torch.bincount(training_pictures.labels) / 12
    assert (torch.bincount(validation.labels) - share).abs().max() <= 1


def test_split_is_fixed_whatever_the_seed(training_pictures: Part) -> None:
    indices = Part(torch.arange(60_000), training_pictures.labels)
    torch.manual_seed(1)
    first = split_validation(indices)
    torch.manual_seed(2)
    again = split_validation(indices)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.images, other.images)


def test_first_training_pictures_are_a_sample_of_all_digits(training_pictures: Part) -> None:
    training, _ = split_validation(training_pictures)
    counts = torch.bincount(training.first(1000).labels, minlength=10)
    assert counts.min() > 60
