"""The shipped model reads the project's photos, and says so where there is nothing to read.

Digits of the validation part: the test digits are for the figures in the README alone.
"""

import numpy as np
import pytest

from mnistsum_runtime import Predictor
from photo_set import KINDS, NOTHING_THERE, draw_digits, measure, nothing_there, overall, photos

SEED = 3


@pytest.fixture(scope="module")
def shipped() -> Predictor:
    return Predictor()


def test_photos_of_every_kind_are_read(shipped: Predictor) -> None:
    digits, labels = draw_digits(validation=True, count=4 * len(KINDS), seed=SEED)
    table = measure(shipped, photos(digits, labels, SEED))
    assert {kind: row["count"] for kind, row in table.items()} == dict.fromkeys(KINDS, 4)
    assert overall(table)["right"] >= 0.97
    assert min(row["right"] for row in table.values()) >= 0.75


def test_nothing_is_read_where_nothing_is(shipped: Predictor) -> None:
    table = measure(shipped, nothing_there(5 * len(NOTHING_THERE), SEED))
    assert table.keys() == NOTHING_THERE.keys()
    for kind in ("blank", "one colour", "gradient", "noise"):
        assert table[kind]["no_digit"] == 1
    assert overall(table)["no_digit"] >= 0.85


def test_the_same_seed_gives_the_same_photos() -> None:
    digits, labels = np.eye(28, dtype=np.uint8)[None].repeat(2, axis=0) * 255, np.array([1, 1])
    kinds = ("thin", "grid")
    first, again = (list(photos(digits, labels, SEED, kinds)) for _ in range(2))
    assert [photo.content for photo in first] == [photo.content for photo in again]
    assert first[0].content != next(photos(digits, labels, SEED + 1, kinds)).content
