"""What onnxruntime prints while it is imported reaches nobody, from any command; all of it does if the import fails.

Debian's build prints 567 lines about operators that it knows twice; wheels from 1.23 to 1.28 print a warning about a
graphics card on every Raspberry Pi with trixie.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="held on Linux alone")

LINE = "Schema error: Trying to register schema with name Abs (domain:  version: 6) but it is already registered"
PRINTS = f"import os\nos.write(2, b'{LINE}\\n' * 567)\n"
REAL = """
import sys
sys.path.remove(os.path.dirname(os.path.dirname(__file__)))
del sys.modules["onnxruntime"]
import onnxruntime
"""
"""The stub gives its place to the package that it stands before."""
BIN = Path(sys.executable).parent
SAMPLE = Path(__file__).parents[2] / "artifacts/samples/seven.png"


def environment(folder: Path, does: str) -> dict[str, str]:
    """An environment whose onnxruntime prints, and then does something."""
    package = folder / "stub/onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PRINTS + does, encoding="utf-8")
    return os.environ | {"PYTHONPATH": str(package.parent)}


def call(folder: Path, does: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / str(words[0])), *map(str, words[1:])]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(folder, does), timeout=300
    )


@pytest.mark.parametrize(
    "words",
    [
        ("mnistsum-run", SAMPLE, 4),
        ("mnistsum-run", SAMPLE, 4, "--json"),
        ("mnistsum-run", SAMPLE, 4, "--threads", 2),
        ("mnistsum-run", "--version"),
        ("mnistsum-run", SAMPLE, 4, "--explain", "OUT"),
        ("mnistsum-verify",),
        ("mnistsum-verify", "--json"),
        ("mnistsum-verify", "--model", "int8"),
        ("mnistsum-verify", "--limited"),
        ("mnistsum-doctor",),
        ("mnistsum-evaluate", "PICTURES"),
        ("mnistsum-evaluate", "PICTURES", "--explain", "OUT"),
        pytest.param(("mnistsum-bench", "--threads", 1), marks=pytest.mark.slow),
    ],
    ids=lambda words: " ".join(str(word) for word in words if word != SAMPLE),
)
def test_a_command_says_its_own_words_alone(words: tuple[object, ...], tmp_path: Path) -> None:
    pictures = tmp_path / "pictures/7"
    pictures.mkdir(parents=True)
    (pictures / "seven.png").write_bytes(SAMPLE.read_bytes())
    places = {"PICTURES": pictures.parent, "OUT": tmp_path / "out.png"}
    done = call(tmp_path, REAL, *(places.get(str(word), word) for word in words))
    expected = f"mnistsum-evaluate: no mistakes, {places['OUT']} was not written\n" * ("PICTURES" in words[:2])
    assert (done.returncode, done.stderr) == (0, expected if "OUT" in words else "")
    assert done.stdout
    assert "Schema" not in done.stdout


def test_an_error_is_one_line(tmp_path: Path) -> None:
    done = call(tmp_path, REAL, "mnistsum-verify", "--model", tmp_path / "none.onnx")
    assert done.returncode == 3
    assert re.fullmatch("mnistsum-verify: .*cannot be read.*\n", done.stderr)


def test_the_server_says_its_own_words_alone(tmp_path: Path) -> None:
    command = [str(BIN / "mnistsum-serve"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(tmp_path, REAL)) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        process.send_signal(signal.SIGTERM)
        lines += process.stderr.readlines()
    assert lines[0].startswith("this machine alone is let in")
    assert lines[1].startswith("serving http://")
    assert not [line for line in lines if "Schema" in line]


FAILS = (
    "raise ImportError('libonnxruntime.so.1: cannot open shared object file')",
    "raise RuntimeError('built for a newer processor')",
)


@pytest.mark.parametrize("does", FAILS)
@pytest.mark.parametrize(
    "words", [("mnistsum-run", SAMPLE, 4), ("mnistsum-verify",), ("mnistsum-evaluate", "PICTURES"), ("mnistsum-bench",)]
)
def test_what_was_held_is_given_out_if_the_import_fails(words: tuple[object, ...], does: str, tmp_path: Path) -> None:
    (tmp_path / "7.png").write_bytes(SAMPLE.read_bytes())
    done = call(tmp_path, does, *(tmp_path if word == "PICTURES" else word for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    *held, last = done.stderr.splitlines()
    assert held == [LINE] * 567
    reason = re.findall("'(.*)'", does)[0]
    assert re.fullmatch(f"{words[0]}: the installation is broken: .*{reason}: see mnistsum-doctor", last)


def test_the_doctor_makes_one_sentence_of_an_import_that_fails(tmp_path: Path) -> None:
    done = call(tmp_path, FAILS[0], "mnistsum-doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    *_, last = json.loads(done.stdout)["checks"]
    assert last["found"] == "ImportError: libonnxruntime.so.1: cannot open shared object file"
