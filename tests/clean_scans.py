"""Clean scans: MNIST test digits as dark ink on a white sheet of any size, somewhere on it.

As a program, `python tests/clean_scans.py OUT.json` measures the shipped model on 1,000 of them through
`mnistsum-run --json`, beside the same digits in their 28x28 form.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.operations import SUM
from mnistsum_train.data import Part, load_mnist

SEED = 0
SMALLEST, LARGEST = 40, 400
"""Side of the digit's 28x28 square on the sheet, in pixels."""


def clean_scan(digit: NDArray[np.uint8], generator: np.random.Generator) -> Image.Image:
    """Enlarge a digit and put it as dark ink somewhere on a white sheet.

    Args:
        digit: uint8 [28, 28], 0 ground to 255 ink.
        generator: Draws the size, the resampling, the ink's darkness and the place.
    """
    side = int(generator.integers(SMALLEST, LARGEST + 1))
    resampling = generator.choice([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.NEAREST])
    ink = np.asarray(Image.fromarray(digit).resize((side, side), resampling), dtype=np.float32) / 255
    darkness = generator.integers(0, 80)
    width, height = side + generator.integers(0, side + 1, 2)
    left, top = generator.integers(0, width - side + 1), generator.integers(0, height - side + 1)
    sheet = np.full((height, width), 255.0, np.float32)
    sheet[top : top + side, left : left + side] -= ink * (255 - darkness)
    return Image.fromarray(sheet.round().astype(np.uint8))


def both_right(folder: Path, test: Part, number: int) -> float:
    """Run `mnistsum-run --json` on a folder of pictures in the order of `test`; the share with both answers right."""
    command = [str(Path(sys.executable).with_name("mnistsum-run")), "--json", str(folder), str(number)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    expected = [(int(label), SUM.function(int(label), number)) for label in test.labels]
    found = [(answer["digit"], answer["sum"]) for answer in answers]
    return sum(f == e for f, e in zip(found, expected, strict=True)) / len(expected)


def measure(count: int) -> dict[str, float]:
    """Both answers right on `count` test digits, in their 28x28 form and as clean scans."""
    test = load_mnist(train=False).first(count)
    generator = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as name:
        for index, digit in enumerate(test.images[:, 0].numpy()):
            for kind, picture in (("plain", Image.fromarray(digit)), ("scans", clean_scan(digit, generator))):
                (Path(name) / kind).mkdir(exist_ok=True)
                picture.save(Path(name) / kind / f"{index:05}.png")
        plain, scans = (both_right(Path(name) / kind, test, number=4) for kind in ("plain", "scans"))
    return {"pictures": count, "seed": SEED, "plain": plain, "scans": scans}


if __name__ == "__main__":
    write_atomically(Path(sys.argv[1]), (json.dumps(measure(1000), indent=2) + "\n").encode())
