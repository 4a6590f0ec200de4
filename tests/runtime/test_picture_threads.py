"""Threads decode side by side, and what Pillow warns of stays inside without a change for anybody else."""

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mnistsum_runtime import Predictor, read_picture
from mnistsum_runtime.preparation import picture
from tiny_model import drawn_digit

PATIENCE = 20
"""Seconds until two threads that should have met are given up."""


def encoded(kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(drawn_digit(7)).save(file, kind)
    return file.getvalue()


def in_threads(count: int, job: Callable[[int], Any]) -> list[Any]:
    """What each of the threads returns, or the error that it ended with."""
    results: list[Any] = [None] * count

    def work(index: int) -> None:
        try:
            results[index] = job(index)
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Meeting(PngImagePlugin.PngImageFile):
    """Opens and decodes only when two threads do so at once."""

    opening = threading.Barrier(2)
    decoding = threading.Barrier(2)

    def _open(self) -> None:
        self.opening.wait(PATIENCE)
        super()._open()

    def load(self) -> Any:
        self.decoding.wait(PATIENCE)
        return super().load()


def test_two_threads_are_inside_the_decoding_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile", Meeting)
    for read in in_threads(2, lambda _: read_picture(encoded())):
        assert np.array_equal(read, drawn_digit(7))


def test_two_threads_are_inside_the_decoding_of_open_images_at_once() -> None:
    meeting = threading.Barrier(2)

    class Slow(Image.Image):
        def load(self) -> Any:
            meeting.wait(PATIENCE)
            return super().load()

    def read(_: int) -> Any:
        image = Image.fromarray(drawn_digit(7))
        image.__class__ = Slow
        return read_picture(image)

    for found in in_threads(2, read):
        assert np.array_equal(found, drawn_digit(7))


def warn_while_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    load = PngImagePlugin.PngImageFile.load

    def load_and_warn(self: PngImagePlugin.PngImageFile) -> Any:
        warnings.warn("a bomb", Image.DecompressionBombWarning, stacklevel=1)
        warnings.warn("as if the caller had done it", DeprecationWarning, stacklevel=5)
        return load(self)

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load_and_warn)


def test_a_warning_is_neither_shown_nor_raised_whatever_filters_are_set(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    warn_while_decoding(monkeypatch)
    content = encoded()
    for action in ("error", "always", "default"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            assert np.array_equal(read_picture(content), drawn_digit(7))
    with warnings.catch_warnings():
        warnings.resetwarnings()
        read_picture(content)
    with warnings.catch_warnings(record=True) as caught:
        read_picture(content)
    assert caught == []
    assert capfd.readouterr() == ("", "")


def test_others_keep_their_warnings_while_a_thread_decodes_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding, warned = threading.Event(), threading.Event()
    load = PngImagePlugin.PngImageFile.load

    def load_slowly(self: PngImagePlugin.PngImageFile) -> Any:
        decoding.set()
        assert warned.wait(PATIENCE)
        return load(self)

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load_slowly)
    content = encoded()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = threading.Thread(target=read_picture, args=(content,))
        thread.start()
        assert decoding.wait(PATIENCE)
        with pytest.raises(UserWarning):
            warnings.warn("mine", stacklevel=1)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 28 * 28 - 1)
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(BytesIO(content))
        warned.set()
        thread.join()
        with pytest.raises(UserWarning):
            warnings.warn("mine", stacklevel=1)


def test_the_filter_is_put_in_its_place_once() -> None:
    read_picture(encoded())
    before = list(warnings.filters)
    for _ in range(3):
        read_picture(encoded())
    assert warnings.filters == before
    assert [entry[2] for entry in before].count(picture._WhileDecoding) == 1


CHILD = """
import sys, threading, warnings
import numpy as np
from mnistsum_runtime import read_picture

start = threading.Barrier(8)
found = [None] * 8

def work(index):
    start.wait()
    found[index] = [read_picture(path) for path in sys.argv[1:]]

threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(np.array_equal(one, other) for each in found for one, other in zip(each, found[0], strict=True))
try:
    warnings.warn("mine")
except UserWarning:
    print("ok")
"""


def test_under_w_error_a_fresh_process_decodes_every_format_in_eight_threads(tmp_path: Path) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    paths = []
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "HEIF", "AVIF", "JPEG2000", "TGA", "ICO"):
        path = tmp_path / f"seven.{kind}"
        exif = Image.Exif()
        exif[0x0112] = 6
        exif[0x010E] = "a note"
        Image.fromarray(drawn_digit(7)).save(path, kind, exif=exif.tobytes(), sizes=[(28, 28)])
        paths.append(path)
    for path in paths[1:4:2]:  # EXIF and TIFF whose notes lead out of the file: Pillow warns
        content = path.read_bytes()
        assert b"a note" in content
        path.write_bytes(content.replace(b"\0\0\0\x07", b"\x7f\0\0\x07").replace(b"\x07\0\0\0", b"\x07\0\0\x7f"))
    command = [sys.executable, "-W", "error", "-c", CHILD, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ok\n", "")


def test_threads_share_a_predictor(predictor: Predictor, seven: Path) -> None:
    alone = predictor.predict(seven, 4)
    for found in in_threads(4, lambda _: [predictor.predict(seven, 4) for _ in range(25)]):
        for prediction in found:
            assert prediction.value == alone.value
            assert np.array_equal(prediction.digit_probabilities, alone.digit_probabilities)
