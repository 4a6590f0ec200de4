"""Make the sample pictures of `artifacts/samples/`, from MNIST test digits, as a maker's folder might hold them.

Usage: python artifacts/make_samples.py
"""

from pathlib import Path

from PIL import Image, ImageDraw

from mnistsum_export.sample_pictures import BLUE_INK, BOARD, CHALK, CREAM, INK, PAPER, draw, encode
from mnistsum_runtime.atomic import write_atomically
from mnistsum_train.data import load_mnist

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    """Write every sample."""
    SAMPLES.mkdir(exist_ok=True)
    images = load_mnist(train=False).images[:, 0].numpy()
    samples = {
        "seven-mnist.png": Image.fromarray(images[0]),
        "seven.png": draw(images[0], (320, 240), (130, 20, 170), INK, PAPER),
        "two-blue-ink.png": draw(images[1], (400, 300), (20, 40, 220), BLUE_INK, CREAM),
        "zero-chalk.png": draw(images[3], (240, 240), (40, 30, 180), CHALK, BOARD),
        "letter-a.png": letter_a(),
        "four-transparent.png": draw(images[4], (200, 280), (10, 90, 170), (0, 0, 0), None),
    }
    for name, picture in samples.items():
        write_atomically(SAMPLES / name, encode(picture, "PNG"))


def letter_a() -> Image.Image:
    """No digit: an answer that says that it is not reliable."""
    sheet = Image.new("RGB", (240, 240), PAPER)
    pen = ImageDraw.Draw(sheet)
    for stroke in ((60, 200, 118, 40), (118, 40, 180, 200), (82, 140, 158, 140)):
        pen.line(stroke, fill=INK, width=16)
    return sheet


if __name__ == "__main__":
    main()
