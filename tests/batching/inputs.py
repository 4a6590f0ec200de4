"""Inputs for the measurements: MNIST's test digits as PNG files and in tar files, and files that are broken."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from random import Random

from PIL import Image

from mnistsum_train.data import load_mnist


def encode(image: Image.Image) -> bytes:
    """As PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def digits() -> list[bytes]:
    """MNIST's test set as PNG files of 28x28."""
    return [encode(Image.fromarray(image[0].numpy())) for image in load_mnist(train=False).images]


def write_tars(folder: Path, pictures: list[bytes], count: int, tars: int) -> list[Path]:
    """Tar files as WebDataset's, with so many pictures in all: the given ones again and again."""
    paths = [folder / f"shard-{number:04d}.tar" for number in range(tars)]
    for number, path in enumerate(paths):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in range(number * count // tars, (number + 1) * count // tars):
                content = pictures[index % len(pictures)]
                info = tarfile.TarInfo(f"{index:08d}.png")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return paths


def write_mixed(folder: Path, pictures: list[bytes], count: int) -> Path:
    """Pictures of which every tenth is broken in some way."""
    random = Random(0)
    for index in range(count):
        content = pictures[index % len(pictures)]
        if index % 10 == 3:
            content = random.choice(
                (b"", b"no picture", content[: len(content) // 2], encode(Image.new("L", (40, 40))))
            )
        (folder / f"{index:05d}.png").write_bytes(content)
    return folder
