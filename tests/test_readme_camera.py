"""The camera recipes of runtime/serve.md, run as they stand: the camera's own parts are stubs with sample pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "artifacts" / "samples"
SERVE_IT = (ROOT / "runtime" / "serve.md").read_text(encoding="utf-8")

PICAMERA2 = f"""
import numpy as np
from PIL import Image

PICTURES = [
    np.asarray(Image.open({str(SAMPLES / "two-blue-ink.png")!r}).convert("RGB")),
    np.full((480, 640, 3), 200, np.uint8),
]


class Picamera2:
    def create_video_configuration(self, main):
        return main

    def configure(self, configuration):
        assert configuration["format"] == "BGR888"

    def start(self):
        self.left = list(PICTURES)

    def capture_array(self):
        if not self.left:
            raise SystemExit
        return self.left.pop(0)
"""
CV2 = f"""
import numpy as np
from PIL import Image


class VideoCapture:
    def __init__(self, number):
        assert number == 0

    def read(self):
        picture = np.asarray(Image.open({str(SAMPLES / "two-blue-ink.png")!r}).convert("RGB"))
        return True, np.ascontiguousarray(picture[:, :, ::-1])
"""


def python_block(imported: str) -> str:
    """The section's Python that imports this module."""
    blocks: list[str] = [
        block for block in re.findall(r"```python\n(.*?)```", SERVE_IT, re.DOTALL) if imported in block
    ]
    assert len(blocks) == 1
    return blocks[0]


def run(block: str, folder: Path) -> str:
    """Run Python with a folder of stubs before all other modules."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", block]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_still_goes_through_a_pipe(tmp_path: Path) -> None:
    command = re.search(r"^rpicam-still .*$", SERVE_IT, re.MULTILINE)
    assert command is not None
    Image.open(SAMPLES / "seven.png").convert("RGB").save(tmp_path / "seven.jpg", quality=90)
    still = tmp_path / "rpicam-still"
    still.write_text(f'#!/bin/sh\n[ "$*" = "-n -o -" ] && exec cat "{tmp_path / "seven.jpg"}"\n', encoding="utf-8")
    still.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    done = subprocess.run(["sh", "-c", command[0]], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-: digit 7 (")
    assert "7 + 4 = 11" in done.stdout


def test_frames_of_picamera2_are_answered_and_a_sheet_without_a_digit_does_not_end_it(tmp_path: Path) -> None:
    (tmp_path / "picamera2.py").write_text(PICAMERA2, encoding="utf-8")
    block = python_block("picamera2")
    assert len(block.splitlines()) <= 16
    first, second = run(block, tmp_path).splitlines()
    assert first == "2 6 reliable"
    assert not re.match(r"\d", second)


def test_frames_of_opencv_are_turned_round(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(CV2, encoding="utf-8")
    block = python_block("cv2")
    assert "frame[:, :, ::-1]" in block
    assert run(block, tmp_path) == "6\n"
