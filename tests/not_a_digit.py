"""How often an answer is called reliable: real digits, drawn pictures of no digit, empty sheets, any given pictures.

As a program, `python tests/not_a_digit.py OUT.json [--model FILE] [PICTURES ...]` measures the shipped model through
`Predictor`. PICTURES are files in MNIST's own idx format, packed or not, folders with a test set in it, or folders of
picture files, for example `/usr/share/datasets/fashion-mnist` of the Debian package `dataset-fashion-mnist`.
"""

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistsum_runtime import PictureError, Predictor
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.preparation.picture import SUFFIXES
from mnistsum_train.data import load_mnist
from mnistsum_train.negatives import KINDS, draw_negatives
from photo_set import NOTHING, SEED, nothing_there, photos

DRAWN = 100
"""Pictures of no digit of each kind, made of test digits where they are made of digits."""
DRAWN_SEED = 2
"""Neither that of the training nor that of its report."""
ON_PAPER = tuple(kind for kind in KINDS if kind not in ("silhouettes", "textures", "empty sheets"))
"""Kinds that somebody could write: they are also measured as photos, through all of the preparation."""
TEST_SET = "t10k-images-idx3-ubyte*"


@dataclass
class Counts:
    """What became of some pictures."""

    pictures: int = 0
    no_answer: int = 0
    unreliable: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def told(self) -> float:
        """Share that the user is told of: no answer, or an unreliable one."""
        return (self.no_answer + self.unreliable) / max(1, self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"told": self.told}


def count(predictor: Predictor, pictures: Iterable[Any]) -> Counts:
    """Answer each picture, the numbers 0 to 9 in turn."""
    pictures = list(pictures)
    answers = predictor.predict_many(pictures, [index % 10 for index in range(len(pictures))], on_error="return")
    reasons: Counter[str] = Counter()
    for answer in answers:
        if isinstance(answer, PictureError):
            reasons[answer.kind] += 1
        elif answer.reason is not None:
            reasons[answer.reason.split(" or ")[0].rstrip("0123456789 ").split(",")[0]] += 1
    no_answer = sum(isinstance(answer, PictureError) for answer in answers)
    return Counts(len(pictures), no_answer, sum(reasons.values()) - no_answer, dict(reasons.most_common()))


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Pictures of a file in MNIST's format: uint8 [n, height, width].

    Raises:
        ValueError: It is not one of pictures.
    """
    content = path.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    magic, *shape = (int(value) for value in np.frombuffer(content[:16], ">u4"))
    if magic != 0x803:
        raise ValueError(f"{path}: not an idx file of pictures")
    return np.frombuffer(content, np.uint8, offset=16).reshape(shape)


def read_pictures(path: Path) -> Sequence[Any]:
    """The pictures of an idx file, or of the test set in a folder, as arrays, or those of a folder, as paths."""
    if path.is_dir():
        found = sorted(path.glob(TEST_SET))
        if found:
            return list(read_idx(found[0]))
        return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    return list(read_idx(path))


def on_paper(fields: NDArray[np.uint8]) -> Iterable[bytes]:
    """A photo of each, of the photo set's kinds in turn.

    Args:
        fields: [n, 28, 28], 0 ground to 255 ink.
    """
    no_labels = np.zeros(len(fields), np.int64)
    return (photo.content for photo in photos(fields, no_labels, DRAWN_SEED))


def measure(predictor: Predictor, given: Sequence[Path]) -> dict[str, Any]:
    """All figures; the pictures of one name at a time are in memory."""
    test = load_mnist(train=False)
    drawn = {kind: draw_negatives(kind, test, DRAWN, DRAWN_SEED)[:, 0].numpy() for kind in KINDS}
    return {
        "model_sha256": predictor.model.sha256(),
        "least_confidence": predictor.model.calibration.least_confidence,
        "test_digits": count(predictor, test.images[:, 0].numpy()).to_dict(),
        "drawn": {kind: count(predictor, fields).to_dict() for kind, fields in drawn.items()},
        "on_paper": {kind: count(predictor, on_paper(drawn[kind])).to_dict() for kind in ON_PAPER},
        "nothing_there": count(predictor, [photo.content for photo in nothing_there(NOTHING, SEED)]).to_dict(),
        "given": {path.name: count(predictor, read_pictures(path)).to_dict() for path in given},
    }


def main() -> None:
    """Write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    found = measure(Predictor(arguments.model), arguments.pictures)
    write_atomically(arguments.out, (json.dumps(found, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
