"""`mnistsum-run`: what it prints where, in which order, and with which exit code it ends."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from PIL import Image

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import exit_code_of
from mnistsum_runtime.commands.run_options import command
from mnistsum_runtime.measure.processes import start_alternating
from mnistsum_runtime.reliability import Calibration
from tiny_model import drawn_digit, make_tiny_model

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], model_file: Path) -> Run:
    """Run the command in this process: exit code, lines of standard output, lines of standard error."""

    def run(*arguments: object, model: Path | None = model_file) -> tuple[int, list[str], list[str]]:
        options = [] if model is None else ["--model", model]
        monkeypatch.setattr(sys, "argv", ["mnistsum-run", *map(str, arguments), *map(str, options)])
        code = exit_code_of(command)
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


def with_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def bad_pictures(folder: Path) -> dict[Path, str]:
    """A file or folder for every way in which a picture may fail, and the kind of its error."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    noise.save(folder / "cut.png")
    noise.save(folder / "cut.jpg")
    for name in ("cut.png", "cut.jpg"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    Image.new("1", (9000, 9000)).save(folder / "bomb.png")
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture at all\n")
    (folder / "no pictures").mkdir()
    (folder / "no pictures" / "notes.txt").write_text("nothing here")
    Image.new("L", (50, 50), 200).save(folder / "blank.png")
    return {
        folder / "missing.png": "not_found",
        folder / "no pictures": "empty",
        folder / "empty.png": "empty",
        folder / "text.png": "not_a_picture",
        folder / "cut.png": "truncated",
        folder / "cut.jpg": "truncated",
        folder / "bomb.png": "too_large",
        folder / "blank.png": "no_digit",
    }


def test_the_human_line(run: Run, seven: Path) -> None:
    assert run(seven, 4) == (0, [f"{seven}: digit 7 (100.00%), 7 + 4 = 11 (99.92%)"], [])


def test_the_json_line(run: Run, seven: Path) -> None:
    code, out, err = run("--json", seven, 4)
    assert (code, err) == (0, [])
    assert out == [
        f'{{"image": "{seven}", "number": 4, "digit": 7, "sum": 11, "digit_confidence": 1.0, '
        '"sum_confidence": 0.9992, "consistent": true, "reliable": true, "reason": null, "error": null}'
    ]


def test_in_json_every_bad_picture_keeps_its_line_and_the_others_are_answered(
    run: Run, seven: Path, tmp_path: Path
) -> None:
    bad = bad_pictures(tmp_path)
    images = [part for path in bad for part in (path, seven)]
    code, out, err = run("--json", *images, 4)
    lines = [json.loads(line) for line in out]
    assert (code, err) == (1, [])
    assert [line["image"] for line in lines] == [str(image) for image in images]
    assert [line["error"]["kind"] for line in lines[::2]] == list(bad.values())
    for failed, answered in zip(lines[::2], lines[1::2], strict=True):
        assert list(failed) == list(answered)
        assert failed["number"] == 4
        nulls = ("digit", "sum", "digit_confidence", "sum_confidence", "consistent", "reliable", "reason")
        assert all(failed[field] is None for field in nulls)
        assert set(failed["error"]) == {"kind", "message"}
        assert answered["sum"] == 11


def test_for_people_every_bad_picture_is_one_line_on_standard_error(run: Run, seven: Path, tmp_path: Path) -> None:
    bad = bad_pictures(tmp_path)
    code, out, err = run(*bad, seven, 4)
    assert code == 1
    assert len(out) == 1
    assert [line.split(": ")[:2] for line in err] == [["mnistsum-run", str(path)] for path in bad]


@pytest.mark.parametrize("number", ["10", "-1", "3.5", "-3.5", "-.5", "x", "", " 4", "04", "+4", "٤", "1e0"])
def test_a_number_that_is_not_0_to_9_ends_with_2_and_says_what_was_found(run: Run, seven: Path, number: str) -> None:
    code, out, err = run(seven, number)
    assert (code, out) == (2, [])
    assert err == [f"mnistsum-run: NUMBER, the last argument, must be a whole number from 0 to 9, found {number!r}"]


@pytest.mark.parametrize(
    "arguments",
    [["4"], ["seven.png"], ["seven.png", "4", "--jsn"], ["seven.png", "4", "--threads", "0"], ["-x", "a.png", "4"]],
)
def test_a_wrong_call_is_one_line_and_ends_with_2(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out, len(err)) == (2, [], 1)


def test_another_limit_makes_an_answer_doubtful_and_leaves_its_confidences(run: Run, seven: Path) -> None:
    usual, strict = (json.loads(run(seven, 4, "--json", *limit)[1][0]) for limit in ([], ["--min-confidence", 1]))
    assert (usual.pop("reliable"), usual.pop("reason")) == (True, None)
    assert (strict.pop("reliable"), strict.pop("reason")) == (False, "the second output is not sure")
    assert strict == usual


def test_a_lower_limit_makes_an_answer_reliable(run: Run, seven: Path, tmp_path: Path) -> None:
    model = tmp_path / "strict.onnx"
    model.write_bytes(make_tiny_model(calibration=Calibration(1.0, 1.0, 0.99999)).SerializeToString())
    found = [run(seven, 4, *limit, model=model)[1][0] for limit in ([], ["--min-confidence", "0.9"])]
    assert found[0] == found[1] + " (unsure: the second output is not sure)"


@pytest.mark.parametrize("limit", ["1.5", "-0.5", "nan", "inf", "x"])
def test_a_limit_that_is_no_share_is_one_line_and_ends_with_2(run: Run, seven: Path, limit: str) -> None:
    code, out, err = run(seven, 4, "--min-confidence", limit)
    assert (code, out, len(err)) == (2, [], 1)
    assert limit in err[0]


def test_a_wrong_number_is_told_before_the_model_is_opened(run: Run, seven: Path) -> None:
    assert run(seven, 10, model=Path("missing.onnx"))[0] == 2


def broken_models(folder: Path) -> dict[str, Path]:
    model = make_tiny_model()
    whole = model.SerializeToString()
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 3]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", tensors[:1], tensors[1:])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.graph.input[0].name = "picture"
    model.graph.node[0].input[0] = "picture"
    contents = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "text": b"this is not a model\n" * 20,
        "another model": other.SerializeToString(),
        "renamed input": model.SerializeToString(),
    }
    paths = {"missing": folder / "missing.onnx", "folder": folder}
    for name, content in contents.items():
        paths[name] = folder / f"{name}.onnx"
        paths[name].write_bytes(content)
    return paths


@pytest.mark.parametrize("case", ["missing", "folder", "empty", "truncated", "text", "another model", "renamed input"])
def test_a_bad_model_is_one_line_and_ends_with_3(run: Run, seven: Path, tmp_path: Path, case: str) -> None:
    path = broken_models(tmp_path)[case]
    for arguments in ([seven, 4], ["--json", seven, 4], ["--version"]):
        code, out, err = run(*arguments, model=path)
        assert (code, out, len(err)) == (3, [], 1)
        assert err[0].startswith(f"mnistsum-run: model {path}: ")


def test_a_folder_stands_for_its_pictures_in_the_order_of_their_names(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, digit in {"b.PNG": 2, "a.png": 1, "c.bmp": 3, "B.png": 0}.items():
        Image.fromarray(drawn_digit(digit)).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / "d.png").mkdir()
    code, out, _ = run("--json", folder, 4)
    lines = [json.loads(line) for line in out]
    assert code == 0
    assert [(Path(line["image"]).name, line["digit"]) for line in lines] == [
        ("B.png", 0),
        ("a.png", 1),
        ("b.PNG", 2),
        ("c.bmp", 3),
    ]


def test_recursive_takes_the_pictures_of_all_folders_in_a_folder(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    for name in ("b.png", "a/z.png", "a/deep/1.png", "a.png", "c/2.png", "d.png/3.png"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_digit(7)).save(path)
    (root / "link").symlink_to(root / "a")
    (root / "c" / "up").symlink_to(root)
    flat = [root / name for name in ("a.png", "b.png")]
    deep = [root / name for name in ("a/z.png", "a/deep/1.png", "c/2.png", "d.png/3.png")]
    for options, expected in ((["-r"], flat + deep), (["--recursive"], flat + deep), ([], flat)):
        code, out, _ = run(*options, root, 4)
        assert (code, [line.split(": ")[0] for line in out]) == (0, [str(path) for path in expected])


def test_a_folder_whose_pictures_are_deeper_is_told_with_the_option(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    nothing = f"mnistsum-run: {tmp_path}: the folder has no pictures in it"
    assert run(tmp_path, 4) == (1, [], [f"{nothing}; -r looks in the folders in it"])
    assert run("-r", tmp_path, 4) == (1, [], [f"{nothing}, nor in the folders in it"])
    assert run("-r", tmp_path / "a" / "b", 4)[2] == [f"mnistsum-run: {tmp_path}/a/b: the folder has no pictures in it"]


def test_a_folder_in_it_that_cannot_be_read_is_a_line_of_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(drawn_digit(7)).save(tmp_path / name / "7.png")
    scandir = os.scandir

    def refuse(folder: str) -> Any:
        if folder.endswith("/a"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)  # root could read any
    code, out, err = run("-r", tmp_path, 4)
    assert (code, out) == (1, [f"{tmp_path}/b/7.png: digit 7 (100.00%), 7 + 4 = 11 (99.92%)"])
    assert err == [f"mnistsum-run: {tmp_path}/a: cannot be read: Permission denied"]


def test_a_dash_is_the_picture_on_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch, seven: Path) -> None:
    with_standard_input(monkeypatch, seven.read_bytes())
    code, out, _ = run("--json", "-", seven, 4)
    lines = [json.loads(line) for line in out]
    assert code == 0
    assert [(line["image"], line["sum"]) for line in lines] == [("-", 11), (str(seven), 11)]


@pytest.mark.parametrize(("content", "kind"), [(b"", "empty"), (b"hello", "not_a_picture")])
def test_standard_input_without_a_picture_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes, kind: str
) -> None:
    with_standard_input(monkeypatch, content)
    code, out, _ = run("--json", "-", 4)
    assert (code, json.loads(out[0])["error"]["kind"]) == (1, kind)


def test_a_closed_standard_input_is_not_readable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    code, out, _ = run("--json", "-", 4)
    assert (code, json.loads(out[0])["error"]["kind"]) == (1, "not_readable")


def test_each_picture_is_answered_before_the_next_is_read(
    run: Run, monkeypatch: pytest.MonkeyPatch, seven: Path
) -> None:
    printed: list[str] = []
    seen_when_read: list[int] = []

    class StandardInput:
        class buffer:  # noqa: N801
            @staticmethod
            def read(_limit: int) -> bytes:
                seen_when_read.append(len(printed))
                return seven.read_bytes()

    monkeypatch.setattr(sys, "stdin", StandardInput)
    monkeypatch.setattr("builtins.print", lambda text, **_: printed.append(text))
    run(seven, "-", "-", 4)
    assert seen_when_read == [1, 2]


def test_a_name_with_line_breaks_and_other_bytes_stays_one_line(run: Run, seven: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a\nb\xff.png")
    odd.write_bytes(seven.read_bytes())
    missing = tmp_path / "c\nd.png"
    code, out, err = run(odd, missing, 4)
    assert (code, len(out), len(err)) == (1, 1, 1)
    assert "a\\nb\\udcff.png: digit 7" in out[0]
    assert json.loads(run("--json", odd, 4)[1][0])["image"] == str(odd)


def test_version_names_package_model_and_onnxruntime(run: Run, model_file: Path) -> None:
    from hashlib import sha256

    short = sha256(model_file.read_bytes()).hexdigest()[:12]
    expected = f"mnistsum {__version__}, model tiny.onnx (sum, sha256 {short}), onnxruntime {onnxruntime.__version__}"
    assert run("--version") == (0, [expected], [])


def test_help_shows_the_call_and_the_exit_codes(run: Run) -> None:
    code, out, _ = run("--help", model=None)
    assert code == 0
    assert out[0] == "Usage: mnistsum-run [OPTIONS] IMAGE... NUMBER"
    assert "    mnistsum-run seven.png 4" in out
    assert "\b" not in "".join(out)


def test_interrupting_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch, seven: Path) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mnistsum_runtime.commands.run_answer.expand", interrupt)
    code, _, err = run(seven, 4)
    assert (code, err[-1]) == (130, "mnistsum-run: interrupted")


# From here on the whole process is looked at.

IN_A_PROCESS = [sys.executable, "-c", "from mnistsum_runtime.commands.run import main; main()"]


def test_the_process_ends_with_the_code_and_has_said_everything(seven: Path, model_file: Path) -> None:
    call = [*IN_A_PROCESS, str(seven), "missing.png", "4", "--model", str(model_file)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == f"{seven}: digit 7 (100.00%), 7 + 4 = 11 (99.92%)\n"
    assert done.stderr == "mnistsum-run: missing.png: no such file\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_an_output_that_cannot_be_written_is_one_line(seven: Path, model_file: Path) -> None:
    with Path("/dev/full").open("w") as full:
        call = [*IN_A_PROCESS, str(seven), "4", "--model", str(model_file)]
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "mnistsum-run: the output cannot be written: No space left on device\n"


def test_a_reader_that_leaves_ends_the_command_quietly(seven: Path, model_file: Path) -> None:
    images = [str(seven)] * 500
    call = [*IN_A_PROCESS, *images, "4", "--model", str(model_file)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() in (1, -signal.SIGPIPE)


def test_no_network_no_torch_no_onnx(seven: Path, model_file: Path) -> None:
    script = """
import socket, sys
def blocked(*_, **__):
    raise AssertionError("a connection was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = blocked
from mnistsum_runtime.commands.options import exit_code_of
from mnistsum_runtime.commands.run_options import command
code = exit_code_of(command)
heavy = {"torch", "torchvision", "onnx", "scipy", "cv2", "matplotlib", "mnistsum_train", "mnistsum_export"}
print(code, sorted(heavy & set(sys.modules)))
"""
    call = [sys.executable, "-c", script, str(seven), "4", "--model", str(model_file)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "0 []"
    assert done.stderr == ""


def test_onnxruntime_keeps_no_telemetry(seven: Path, model_file: Path, tmp_path: Path) -> None:
    """Its Linux builds, from 1.29 on, write what they are about to send below the home folder. In CI they never do."""
    quiet = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in quiet} | {"HOME": str(home)}
    script = "from mnistsum_runtime.commands.run import main; main()"
    call = [sys.executable, "-c", script, str(seven), "4", "--model", str(model_file)]
    subprocess.run(call, capture_output=True, check=True, env=environment)
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("arguments", [["4"], ["-", "4"], ["missing.png", "4"], ["12"], []])
def test_a_call_without_options_does_the_same_without_click(seven: Path, arguments: list[str]) -> None:
    quick = (
        "import mnistsum_runtime.commands.run, sys; sys.modules['click'] = None; mnistsum_runtime.commands.run.main()"
    )
    pictures = [str(seven)] if arguments else []
    done, with_click = (
        subprocess.run([*call, *pictures, *arguments], capture_output=True, check=False, input=seven.read_bytes())
        for call in ([sys.executable, "-c", quick], [*IN_A_PROCESS, "--threads", "1"])
    )
    assert (done.returncode, done.stdout, done.stderr) == (with_click.returncode, with_click.stdout, with_click.stderr)
    assert done.stdout or done.stderr


def test_a_name_that_the_output_cannot_encode_is_escaped(seven: Path, tmp_path: Path) -> None:
    picture = tmp_path / "sieben-\u4e03.png"
    picture.write_bytes(seven.read_bytes())
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*IN_A_PROCESS, str(picture), "4"], capture_output=True, check=False, env=environment)
    assert done.returncode == 0
    assert b"sieben-\\u4e03.png: digit 7" in done.stdout


def test_closed_outputs_are_no_crash(seven: Path) -> None:
    call = " ".join([sys.executable, "-c", f"'{IN_A_PROCESS[2]}'", str(seven), "missing.png", "4"])
    done = subprocess.run(["sh", "-c", f"{call} >&-"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "mnistsum-run: missing.png: no such file\n")
    done = subprocess.run(["sh", "-c", f"{call} 2>&-"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)


def test_one_answer_takes_little_more_memory_than_onnxruntime() -> None:
    """The shipped model and sample: 18.3 MB were measured, over an import without telemetry (with it: 15.8)."""
    sample = Path(__file__).parents[2] / "artifacts" / "samples" / "seven.png"
    commands = [[sys.executable, "-c", "import onnxruntime"], [*IN_A_PROCESS, str(sample), "4"]]
    bare, whole = start_alternating(commands, 3)
    peaks = [[start.peak_bytes for start in starts if start.peak_bytes is not None] for starts in (bare, whole)]
    if not peaks[0]:
        pytest.skip("the system does not tell peak memory")
    assert median(peaks[1]) - median(peaks[0]) < 20e6


@pytest.mark.parametrize(
    ("module", "package"),
    [("run", "numpy"), ("run", "onnxruntime"), ("verify", "onnxruntime"), ("bench", "onnxruntime")],
)
def test_a_package_that_cannot_be_imported_is_one_line(module: str, package: str, seven: Path, tmp_path: Path) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('libsomething.so.1: cannot open shared object file')\n")
    call = [sys.executable, "-c", f"from mnistsum_runtime.commands.{module} import main; main()"]
    arguments = [str(seven), "4"] if module == "run" else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([*call, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert "libsomething.so.1: cannot open shared object file: see mnistsum-doctor" in done.stderr


def test_importing_the_package_loads_neither_numpy_nor_onnxruntime() -> None:
    script = "import mnistsum_runtime, sys; print({'numpy', 'onnxruntime', 'PIL', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
