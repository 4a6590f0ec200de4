"""`mnistsum-export --module`: a module of one's own from a shell, and one line for whatever is wrong with the call."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from calling import Called, assert_one_line, call
from mnistsum_export.cli import command
from mnistsum_export.proof import examples
from mnistsum_export.proof import prove as prove_module
from mnistsum_export.proof.convert import ConversionError
from mnistsum_runtime.commands.verify import command as verify

SOURCE = """
import torch
from torch import nn

print("a module that is talkative")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, text):
        return self.head(self.table(text).mean(1))


def make():
    torch.manual_seed(0)
    return Net().eval()


made = make()


class Ready(Net):
    def __init__(self):
        super().__init__()
        self.eval()


def training():
    return Net()


def with_arguments(path, *, strict):
    return Net()


def raises():
    raise ValueError("no weights here\\nand more")


def leaves():
    raise SystemExit("bye")


def a_number():
    return 3


text = "text"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: nets.py, and examples.npz."""
    (tmp_path / "nets.py").write_text(SOURCE)
    np.savez(tmp_path / "examples.npz", text=np.random.default_rng(0).integers(0, 10, (12, 6)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("nets", None)


def export(*options: object, module: str = "nets:make", inputs: object = "examples.npz") -> Called:
    return call(command, "--module", module, "--inputs", inputs, "--output", "net.onnx", *options)


@pytest.mark.parametrize("module", ["nets:make", "nets:made", "nets:Ready"])
def test_module_is_proven_from_the_current_folder(folder: Path, module: str) -> None:
    called = export("--outputs", "kind", "--labels", "kind", "--opset", 18, module=module)
    assert called.code == 0, called.err
    assert "parity passed: 12 rows" in called.out
    assert "net.onnx: torch.onnx, tracing, opset 18, IR version 8" in called.out
    assert call(verify, "--model", folder / "net.onnx").code == 0


def test_json_is_json_whatever_the_module_prints(folder: Path) -> None:
    called = export("--json")
    assert called.code == 0, called.err
    record = json.loads(called.out)
    assert record["parity"]["passed"] is True
    assert "talkative" in called.err


def test_free_dimension_and_tolerances_by_name(folder: Path) -> None:
    called = export("--dynamic", "text=1:length", "--rtol", "output=1e-3", "--atol", "1e-6", "--json")
    assert called.code == 0, called.err
    rule = json.loads(called.out)["parity"]["outputs"]["output"]
    assert (rule["rtol"], rule["atol"]) == (1e-3, 1e-6)
    assert onnx.load(folder / "net.onnx").graph.input[0].type.tensor_type.shape.dim[1].dim_param == "length"


def test_file_that_is_there_already_is_proven_instead(folder: Path) -> None:
    assert export().code == 0
    model = onnx.load("net.onnx")
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == "head.weight"]
    values = onnx.numpy_helper.to_array(weight).copy()
    (folder / "net.onnx").rename("theirs.onnx")
    called = export("--model", "theirs.onnx", "--json")
    assert called.code == 0, called.err
    assert json.loads(called.out)["exporter"] == "given"
    values[0, 0] += 0.1
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, "theirs.onnx")
    (folder / "net.onnx").unlink()
    assert_one_line_after_talk(export("--model", "theirs.onnx"), 1, "is head (Linear), by", "ONNX node /head/Gemm")
    assert not (folder / "net.onnx").exists()


def test_json_is_json_whatever_programs_print_that_a_module_starts(folder: Path) -> None:
    Path("nets.py").write_text(SOURCE + 'import os\nos.system("echo from a program")\n')
    call_it = "import sys; from mnistsum_export.cli import main; main()"
    arguments = ["--module", "nets:make", "--inputs", "examples.npz", "--output", "net.onnx", "--json"]
    done = subprocess.run([sys.executable, "-c", call_it, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parity"]["passed"]
    assert "from a program" in done.stderr


@pytest.mark.parametrize("written", ["nets.onnx", "nets.py"])
def test_neither_the_module_s_source_nor_references_that_are_read_are_written_over(folder: Path, written: str) -> None:
    Path("examples.npz").rename("nets.references.npz")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    called = call(command, "--module", "nets:make", "--inputs", "nets.references.npz", "--output", written)
    assert_one_line_after_talk(called, 2, f"--output {written} would write")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_metadata_of_a_file_of_another_tool_is_kept(folder: Path) -> None:
    assert export().code == 0
    model = onnx.load("net.onnx")
    onnx.helper.set_model_props(model, {"names": "cat, dog"})
    onnx.save(model, "theirs.onnx")
    assert export("--model", "theirs.onnx").code == 0
    found = {entry.key: entry.value for entry in onnx.load("net.onnx").metadata_props}
    assert found["names"] == "cat, dog"
    assert "proof.parity" in found


@pytest.mark.parametrize("name", ["net.onnx", "./net.onnx", "link.onnx"])
def test_a_file_that_is_read_is_not_written_over(folder: Path, name: str) -> None:
    assert export().code == 0
    Path("link.onnx").hardlink_to("net.onnx")
    before = Path("net.onnx").read_bytes()
    assert_one_line_after_talk(export("--model", name), 2, "--output net.onnx would write net.onnx, which is read as")
    assert Path("net.onnx").read_bytes() == before
    Path("examples.npz").rename("net.onnx")
    before = Path("net.onnx").read_bytes()
    assert_one_line_after_talk(export(inputs="net.onnx"), 2, "--output net.onnx would write net.onnx, which is read as")
    assert Path("net.onnx").read_bytes() == before


def assert_one_line_after_talk(called: Called, code: int, *words: str) -> None:
    """As `assert_one_line`, beside what nets.py prints."""
    lines = called.err.splitlines()
    rest = [line for line in lines if "talkative" not in line]
    assert_one_line(Called(called.code, called.out, "\n".join(rest) + "\n"), code, *words)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("nets", "expected package.module:factory"),
        ("nets:", "expected package.module:factory"),
        ("nets.py:make", "write nets:make, without .py"),
        ("../nets:make", "expected package.module:factory"),
        ("missing:make", "No module named 'missing'"),
        ("nets:missing", "nets has no missing"),
        ("nets:text", "text is a str, expected a function or a module"),
        ("nets:a_number", "expected a torch.nn.Module, a_number gives int"),
        ("nets:with_arguments", "with_arguments needs arguments (path, strict)"),
        ("nets:raises", "calling raises raised ValueError: no weights here"),
        ("nets:leaves", "calling leaves raised SystemExit: bye"),
        ("nets:training", "the module itself (Net) is in training mode"),
    ],
)
def test_factory_that_is_no_good_is_exit_2(folder: Path, module: str, words: str) -> None:
    assert_one_line_after_talk(export(module=module), 2, words)
    assert not (folder / "net.onnx").exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "no examples"),
        ({"text": np.zeros((1, 6), np.int64)}, "the examples have 1 row, expected 2 or more"),
        ({"text": np.int64(3)}, "input text is a single number"),
        ({"text": np.zeros((4, 6), "U3")}, "input text is of <U3"),
        ({"text": np.zeros((4, 6), np.complex64)}, "input text is of complex64"),
        ({"text": np.zeros((4, 6))}, "the module does not take the examples (text float64 [2, 6])"),
        ({"text": np.zeros((4, 6), np.int64), "more": np.zeros((4, 1))}, "does not take the examples"),
        ({"text": np.zeros((4, 6), np.int64), "more": np.zeros((3, 1))}, "different numbers of rows"),
        ({"a text": np.zeros((4, 6), np.int64)}, "input name 'a text': ONNX names are made of"),
        ({"text": np.full((4, 6), 3)}, "output output varies by"),
        ({"text": np.full((4, 6), 30)}, "IndexError"),
        ({"text": np.array([{}, {}], object)}, "holds objects, which are never unpickled"),
    ],
)
def test_examples_that_are_no_good_are_exit_2(folder: Path, arrays: dict[str, object], words: str) -> None:
    np.savez("wrong.npz", **arrays)  # type: ignore[arg-type]
    assert_one_line_after_talk(export(inputs="wrong.npz"), 2, words)
    assert not (folder / "net.onnx").exists()


def test_examples_that_unpack_to_too_much_are_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MAX_BYTES", 1000)
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text.npy", bytes(1_000_000))
    assert_one_line_after_talk(export(inputs="bomb.npz"), 2, "1,000,000 bytes unpacked, at most 1,000 are read")


@pytest.mark.parametrize(
    ("inputs", "words"), [("missing.npz", "no such file"), (".", "not a file"), ("nets.py", "zip")]
)
def test_inputs_that_are_no_archive_are_exit_2(folder: Path, inputs: str, words: str) -> None:
    assert_one_line_after_talk(export(inputs=inputs), 2, f"--inputs {inputs}", words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--outputs", "a,a"), "output name a is there twice"),
        (("--outputs", "a,b"), "the module has 1 output, found 2 names: a, b"),
        (("--outputs", "3a"), "output name '3a'"),
        (("--outputs", "text"), "text is the name of an input and of an output"),
        (("--labels", "other"), "labels: there is no output other, the outputs are output"),
        (("--labels", "output=x"), "expected NAME or NAME=NUMBER"),
        (("--labels", "output=2"), "axis 2 of it cannot be that of class logits"),
        (("--constant", "other"), "constant: there is no output other"),
        (("--dynamic", "text"), "expected INPUT=AXIS:DIM"),
        (("--dynamic", "text=1:2"), "expected INPUT=AXIS:DIM"),
        (("--dynamic", "text=5:length"), "input text has 2 axes"),
        (("--dynamic", "text=0:length"), "input text has 2 axes"),
        (("--dynamic", "other=1:length"), "dynamic: there is no input other"),
        (("--dynamic", "text=1:batch"), "dynamic: batch is"),
        (("--atol", "x"), "--atol x: expected a number"),
        (("--atol", "-1"), "expected a number of 0 or more"),
        (("--rtol", "nan"), "expected a number of 0 or more"),
        (("--rtol", "1", "--rtol", "output=2"), "one number for all outputs, or one for each by name"),
        (("--rtol", "other=1"), "rtol: there is no output other"),
        (("--opset", "12"), "opset 12 is not supported"),
        (("--samples", "3"), "--samples does not go with --module"),
        (("--precision", "int8"), "--precision does not go with --module"),
        (("--checkpoint", "c"), "--checkpoint does not go with --module"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_option_that_is_no_good_is_exit_2(folder: Path, options: tuple[str, ...], words: str) -> None:
    assert_one_line_after_talk(export(*options), 2, words)
    assert not (folder / "net.onnx").exists()


def test_what_a_module_needs_is_asked_for(folder: Path) -> None:
    assert_one_line(call(command, "--module", "nets:make"), 2, "--module needs --inputs")
    called = call(command, "--module", "nets:make", "--inputs", "examples.npz")
    assert_one_line(called, 2, "--module needs --output")
    assert_one_line(call(command, "--inputs", "examples.npz"), 2, "--inputs needs --module")


@pytest.mark.parametrize(("content", "words"), [(b"", "no outputs"), (b"\x00\x01nonsense", "not an ONNX file")])
def test_model_that_is_no_good_is_exit_3(folder: Path, content: bytes, words: str) -> None:
    Path("theirs.onnx").write_bytes(content)
    assert_one_line_after_talk(export("--model", "theirs.onnx"), 3, "theirs.onnx", words)
    assert_one_line_after_talk(export("--model", "missing.onnx"), 3, "missing.onnx: cannot be read")


@pytest.mark.parametrize("verbose", [False, True])
def test_torch_s_own_text_is_printed_on_request(folder: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool) -> None:
    def fails(*_: object) -> None:
        raise ConversionError("tracing: no such operator", "a long text\nof torch's")

    monkeypatch.setattr(prove_module, "exporters", lambda: [fails])
    called = export(*["--verbose"] * verbose)
    assert called.code == 1
    assert called.err.endswith(
        "no such operator; opset 23 knows more operators; nothing was written\n" + "a long text\nof torch's\n" * verbose
    )
