"""A model file from a stranger: what is refused before it runs, and what is told when it runs and answers nonsense."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calling import Called, call
from mnistsum_runtime import ModelError, Predictor, contract
from mnistsum_runtime.commands import evaluate, run_options, verify
from mnistsum_runtime.measure.limited import run_limited
from mnistsum_runtime.model import open_file
from mnistsum_runtime.proof.limits import MAX_ELEMENTS, LimitError, check_limits
from tiny_model import drawn_digit, make_tiny_model

Change = Callable[[onnx.ModelProto], None]


def save(model: onnx.ModelProto, folder: Path, name: str = "hostile.onnx") -> Path:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def changed(change: Change, folder: Path) -> Path:
    model = make_tiny_model()
    change(model)
    return save(model, folder)


def add_node(model: onnx.ModelProto, operator: str, inputs: list[str], **attributes: Any) -> None:
    """A node whose output nobody asks for: with the graph not rewritten, onnxruntime runs it all the same."""
    model.graph.node.append(helper.make_node(operator, inputs, [f"{operator}_out"], **attributes))


def add_numbers(model: onnx.ModelProto, name: str, numbers: list[int]) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(numbers, np.int64), name))


def external_data(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def external_in_a_constant(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.zeros(4, np.float32))
    value.ClearField("raw_data")
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="../weights.bin")
    add_node(model, "Constant", [], value=value)


def huge_constant_of_shape(model: onnx.ModelProto) -> None:
    add_numbers(model, "size", [1 << 20, 1 << 20])
    add_node(model, "ConstantOfShape", ["size"])


def huge_by_a_constant_node(model: onnx.ModelProto) -> None:
    size = numpy_helper.from_array(np.array([1 << 40], np.int64))
    model.graph.node.append(helper.make_node("Constant", [], ["size"], value=size))
    add_node(model, "Expand", ["bias", "size"])


def huge_tile(model: onnx.ModelProto) -> None:
    add_numbers(model, "size", [1 << 30])
    add_node(model, "Tile", ["bias", "size"])


def huge_random(model: onnx.ModelProto) -> None:
    add_node(model, "RandomNormal", [], shape=[1 << 20, 1 << 20])


def huge_value(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("between", TensorProto.FLOAT, [1 << 20, 1 << 20]))


def huge_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 31, 1 << 31]


def huge_in_a_branch(model: onnx.ModelProto) -> None:
    add_numbers(model, "size", [1 << 40])
    branch = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["size"], ["big"])],
        "branch",
        [],
        [helper.make_tensor_value_info("big", TensorProto.FLOAT, None)],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    add_node(model, "If", ["yes"], then_branch=branch, else_branch=branch)


def functions(depth: int, calls: int) -> Change:
    """Functions of which each calls the next so often."""

    def change(model: onnx.ModelProto) -> None:
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
        for level in range(depth):
            inner = ("", "Identity") if level == depth - 1 else ("f", f"f{level + 1}")
            names = ["x", *(f"y{index}" for index in range(calls))]
            nodes = [
                helper.make_node(inner[1], [names[index]], [names[index + 1]], domain=inner[0])
                for index in range(calls)
            ]
            model.functions.append(helper.make_function("f", f"f{level}", ["x"], [names[-1]], nodes, opsets))
        model.opset_import.append(helper.make_opsetid("f", 1))
        model.graph.node.append(helper.make_node("f0", ["bias"], ["f_out"], domain="f"))

    return change


def recursive_function(model: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    node = helper.make_node("f0", ["x"], ["y"], domain="f")
    model.functions.append(helper.make_function("f", "f0", ["x"], ["y"], [node], opsets))
    model.opset_import.append(helper.make_opsetid("f", 1))
    model.graph.node.append(helper.make_node("f0", ["bias"], ["f_out"], domain="f"))


def endless_loop(model: onnx.ModelProto) -> None:
    add_loop(model.graph, "bias")


def add_loop(graph: onnx.GraphProto, carried: str) -> None:
    """A loop that counts to 2^63 at once and carries a tensor along."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["goes_on_out"]), helper.make_node("Abs", ["state"], ["state_out"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes_on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, None),
        ],
    )
    graph.initializer.append(numpy_helper.from_array(np.array((1 << 63) - 1, np.int64), "turns"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    graph.node.append(helper.make_node("Loop", ["turns", "yes", carried], ["looped"], body=body))


REFUSED: dict[str, tuple[Change, str]] = {
    "external data": (external_data, "a tensor that is kept in another file"),
    "external data in a constant": (external_in_a_constant, "a tensor that is kept in another file"),
    "a constant of a huge shape": (huge_constant_of_shape, "ConstantOfShape of 1,099,511,627,776 elements"),
    "a shape from a Constant": (huge_by_a_constant_node, "Expand of 1,099,511,627,776 elements"),
    "a huge tile": (huge_tile, "Tile of 1,073,741,824 elements"),
    "huge random numbers": (huge_random, "RandomNormal of 1,099,511,627,776 elements"),
    "a huge value": (huge_value, "a value of 1,099,511,627,776 elements"),
    "a huge tensor": (huge_tensor, f"a tensor of {1 << 62:,} elements"),
    "a huge tensor in a branch": (huge_in_a_branch, "ConstantOfShape of 1,099,511,627,776 elements"),
    "functions that call twice": (functions(40, 2), "more than 200,000 nodes"),
    "functions in functions": (functions(60, 1), "functions that call functions, more than 50 deep"),
    "a function that calls itself": (recursive_function, "functions that call functions, more than 50 deep"),
    "a loop": (endless_loop, "a loop in its graph"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_honest_file_has_is_refused_before_it_runs(change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"refused: {message}"):
        Predictor(changed(change, tmp_path))


def test_honest_functions_branches_and_shapes_pass(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        functions(4, 2)(model)
        add_numbers(model, "size", [4, -1])
        add_node(model, "ConstantOfShape", ["size_of_nothing"])
        model.graph.node.pop()
        add_numbers(model, "small", [2])
        add_node(model, "Tile", ["bias", "small"])

    assert Predictor(changed(change, tmp_path)).predict(drawn_digit(7), 4).value == 11


def test_the_bound_is_of_elements() -> None:
    def content(size: int) -> bytes:
        model = make_tiny_model()
        model.graph.value_info.append(helper.make_tensor_value_info("between", TensorProto.FLOAT, [size]))
        return bytes(model.SerializeToString())

    assert check_limits(content(MAX_ELEMENTS)) is False
    with pytest.raises(LimitError):
        check_limits(content(MAX_ELEMENTS + 1))


def test_every_cut_of_a_file_is_told_as_damage(tmp_path: Path) -> None:
    content = make_tiny_model().SerializeToString()
    path = tmp_path / "cut.onnx"
    for end in [*range(1, 120), *range(120, len(content), 997)]:
        path.write_bytes(content[:end])
        with pytest.raises(ModelError) as caught:
            open_file(path)
            Predictor(path)
        assert "\n" not in str(caught.value)


ANSWERS: dict[str, tuple[str, str]] = {
    "NaN": ("nan", "its output digit has values that are not finite"),
    "infinity": ("inf", "its output digit has values that are not finite"),
    "large": ("3e38", "its output digit has values that are not finite, or no logits"),
}


@pytest.mark.parametrize(("factor", "message"), ANSWERS.values(), ids=ANSWERS.keys())
def test_logits_that_are_no_numbers_are_a_bad_model(factor: str, message: str, tmp_path: Path) -> None:
    path = changed(lambda model: scale_digit(model, float(factor)), tmp_path)
    picture = tmp_path / "seven.pgm"
    picture.write_bytes(b"P5 28 28 255\n" + drawn_digit(7).tobytes())
    done = call(run_options.command, picture, 4, "--json", "--model", path)
    assert (done.code, done.out) == (3, "")
    assert message in one_line_of(done)
    (tmp_path / "7").mkdir()
    picture.rename(tmp_path / "7" / "a.pgm")
    assert message in one_line_of(call(evaluate.command, tmp_path, "--model", path))


def scale_digit(model: onnx.ModelProto, factor: float) -> None:
    """Multiply the digit's logits on their way out."""
    gemm = next(node for node in model.graph.node if node.output[0] == contract.DIGIT)
    gemm.output[0] = "unscaled"
    model.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), "factor"))
    model.graph.node.insert(2, helper.make_node("Mul", ["unscaled", "factor"], [contract.DIGIT]))


def one_line_of(done: Called) -> str:
    assert done.err.count("\n") == 1
    return done.err


@pytest.mark.parametrize("sizes", [[1, 40], [3, 10]])
def test_an_answer_of_another_shape_than_declared_is_a_bad_model(sizes: list[int], tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        gemm = next(node for node in model.graph.node if node.output[0] == contract.DIGIT)
        gemm.output[0] = "right"
        next(node for node in model.graph.node if node.op_type == "Softmax").input[0] = "right"
        add_numbers(model, "sizes", sizes)
        # Nobody can say the shape before it runs: to the sizes a 0 is added that comes from an input.
        model.graph.node.extend(
            [
                helper.make_node("ReduceMin", [contract.NUMBER], ["zero"], keepdims=0),
                helper.make_node("Cast", ["zero"], ["zero_as_int"], to=TensorProto.INT64),
                helper.make_node("Add", ["sizes", "zero_as_int"], ["given"]),
                helper.make_node("ConstantOfShape", ["given"], [contract.DIGIT]),
            ]
        )

    found = re.escape(f"its output digit is float32 {sizes}, expected float32 [1, 10]")
    with pytest.raises(ModelError, match=found):
        Predictor(changed(change, tmp_path)).predict(drawn_digit(7), 4)


def test_a_damaged_name_prints_nothing_on_standard_output(tmp_path: Path) -> None:
    content = make_tiny_model().SerializeToString().replace(b"probability_column", b"probability_colum\xff")
    path = tmp_path / "name.onnx"
    path.write_bytes(content)
    script = "from mnistsum_runtime.commands.verify import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--json", "--model", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1


def test_names_from_a_file_reach_no_terminal_raw(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.output.append(
            helper.make_tensor_value_info("bias\x1b[2J\nverified", TensorProto.FLOAT, [contract.BATCH, 10])
        )
        model.graph.node.append(helper.make_node("Identity", ["digit"], ["bias\x1b[2J\nverified"]))

    done = call(verify.command, "--model", changed(change, tmp_path))
    assert done.code == 3
    assert "\x1b" not in done.out + done.err
    assert "verified" not in done.out
    assert r"bias\x1b[2J" in one_line_of(done)


def test_a_limited_process_ends_what_has_no_end(tmp_path: Path) -> None:
    endless = write_endless(tmp_path)
    with pytest.raises(ModelError, match="no end after 6 s: the process was ended"):
        run_limited("verify", ["--model", str(endless)], seconds=6)


def write_endless(folder: Path) -> Path:
    """A file of another network, with references: its only output comes from a loop without an end."""
    from mnistsum_runtime.proof.comparison import Rule
    from mnistsum_runtime.proof.model_file import sha256_of
    from mnistsum_runtime.proof.references import References, references_path

    shape: list[str | int | None] = ["n", 2]
    graph = helper.make_graph(
        [],
        "endless",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("looped", TensorProto.FLOAT, shape)],
    )
    add_loop(graph, "x")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = save(model, folder, "endless.onnx")
    rows = np.zeros((3, 2), np.float32)
    references = References(
        sha256_of(path), {}, {"x": rows}, {"looped": rows}, {"looped": Rule(1e-4)}, np.ones(3, np.bool_)
    )
    references_path(path).write_bytes(references.to_bytes())
    return path


def test_a_limited_process_says_what_the_command_says(model_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_limited("verify", ["--json", "--model", str(model_file)]) == 3
    assert "no references at" in capfd.readouterr().err
    done = call(verify.command, "--limited", "--json")
    found = json.loads(capfd.readouterr().out)
    assert (done.code, found["passed"]) == (0, True)


def test_a_limited_process_has_so_much_memory(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_limited("verify", [], memory=150_000_000) in (1, 2, 3)
    said = capfd.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


# What a file calls its parts.


def named(name: str) -> Change:
    """The digit's output under another name."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("Identity", [model.graph.output[0].name], [name]))
        model.graph.output[0].name = name

    return change


@pytest.mark.parametrize(
    ("name", "shown"),
    [("two\nlines", r"two\nlines"), ("\x1b[2Jcleared", r"\x1b[2Jcleared"), ("verified\r", r"verified\r")],
)
def test_a_name_in_a_file_stays_in_its_line(name: str, shown: str, tmp_path: Path) -> None:
    path = changed(named(name), tmp_path)
    with pytest.raises(ModelError) as caught:
        Predictor(path)
    assert str(caught.value).isprintable()
    assert shown in str(caught.value)


def test_a_name_of_megabytes_is_shortened(tmp_path: Path) -> None:
    path = changed(named("n" * 5_000_000), tmp_path)
    with pytest.raises(ModelError) as caught:
        Predictor(path)
    assert len(str(caught.value)) < 2100
    assert str(caught.value).startswith(f"model {path}: expected the outputs digit, sum, found nnn")


@pytest.mark.parametrize("part", ["input", "output"])
def test_a_name_that_is_no_text_is_damage(part: str, tmp_path: Path) -> None:
    content = make_tiny_model().SerializeToString()
    name = b"image" if part == "input" else b"digit"
    path = tmp_path / "m.onnx"
    path.write_bytes(content.replace(name, b"\xff\xfe" + name[2:]))
    with pytest.raises(ModelError, match="a name of an input or output is not text"):
        open_file(str(path))
    done = call(verify.command, "--model", path)
    assert (done.code, done.out) == (3, "")


def test_a_file_that_contradicts_itself_is_told_by_what_it_answers(tmp_path: Path) -> None:
    """Optimised, onnxruntime believes the graph; not optimised, it forgets the size: both are measured."""
    model = make_tiny_model()
    digit = next(each for each in model.graph.output if each.name == "digit")
    digit.type.tensor_type.shape.dim[1].dim_value = 11
    path = save(model, tmp_path)
    for optimise in (True, False):
        assert Predictor(path, optimise=optimise).predict(drawn_digit(7), 4).value == 11
