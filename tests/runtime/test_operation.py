"""`--operation` and `operation=`: which of the shipped models answers."""

import re
import sys
from pathlib import Path

import pytest
from click import Command

import mnistsum_runtime.model
from calling import assert_one_line, call
from mnistsum_runtime import Predictor
from mnistsum_runtime.commands.bench import command as bench
from mnistsum_runtime.commands.doctor import command as doctor
from mnistsum_runtime.commands.run_options import command
from mnistsum_runtime.commands.verify import command as verify
from mnistsum_runtime.errors import CallError, ModelError
from mnistsum_runtime.model import find_model, model_name, shipped_model
from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM
from mnistsum_runtime.shipped import shipped_models
from recording import write_recorded
from tiny_model import make_tiny_model


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of artefacts with a tiny model of each operation."""
    package = tmp_path / "mnistsum_artifacts"
    package.mkdir()
    (package / "__init__.py").touch()
    for operation in OPERATIONS.values():
        (package / model_name(operation)).write_bytes(make_tiny_model(operation).SerializeToString())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mnistsum_artifacts", raising=False)
    assert Path(mnistsum_runtime.model.shipped_model()).parent == package
    return package


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [((), "7 + 4 = 11"), (("--operation", "sum"), "7 + 4 = 11"), (("--operation", "product"), "7 x 4 = 28")],
    ids=["default", "sum", "product"],
)
@pytest.mark.usefixtures("shipped")
def test_command_computes_what_it_is_asked_for(arguments: tuple[str, ...], answer: str, seven: Path) -> None:
    called = call(command, seven, 4, *arguments)
    assert called.code == 0
    assert answer in called.out


@pytest.mark.usefixtures("shipped")
def test_predictor_computes_what_it_is_asked_for(seven: Path) -> None:
    assert Predictor().predict(seven, 4).value == 11
    assert Predictor(operation="product").predict(seven, 4).value == 28


def test_int8_is_that_of_the_operation() -> None:
    assert find_model("int8", PRODUCT) == shipped_model(PRODUCT, "int8")


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("named", "operation", "file"),
    [
        ("sum", None, "mnistsum-sum.onnx"),
        ("product", None, "mnistsum-product.onnx"),
        ("product", "product", "mnistsum-product.onnx"),
        ("sum-nano", None, "mnistsum-sum-nano.onnx"),
        ("nano", None, "mnistsum-sum-nano.onnx"),
        ("nano", "sum", "mnistsum-sum-nano.onnx"),
    ],
)
def test_whatever_is_shipped_has_a_name(shipped: Path, named: str, operation: str | None, file: str) -> None:
    (shipped / "mnistsum-sum-nano.onnx").write_bytes((shipped / model_name(SUM)).read_bytes())
    assert Path(Predictor(named, operation=operation).model.path) == shipped / file


def test_a_name_of_another_operation_is_refused() -> None:
    with pytest.raises(ModelError, match="its operation is product, asked for was sum"):
        Predictor("product", operation="sum")


def test_a_word_that_is_neither_a_file_nor_a_name_is_told_with_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seven: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = (
        "model nano: no such file, and no shipped model of that name "
        "(there are: product, product-int8, sum, sum-int8, int8)"
    )
    assert_one_line(call(command, seven, 4, "--model", "nano"), 3, expected)
    assert_one_line(call(verify, "--model", "nano"), 3, expected)
    for path in ("./nano", "nano.onnx"):
        assert_one_line(call(command, seven, 4, "--model", path), 3, f"model {path}: cannot be read")
    (tmp_path / "nano").write_bytes(make_tiny_model().SerializeToString())
    assert find_model("nano") == "nano"


def test_help_and_documentation_have_every_name() -> None:
    from mnistsum_runtime.commands.serve import command as serve

    names = set(shipped_models("sum"))
    assert names == {"sum", "product", "sum-int8", "product-int8", "int8"}
    for text in (call(command, "--help").out, call(serve, "--help").out, str(Predictor.__init__.__doc__)):
        assert names <= set(re.findall(r"[\w-]+", text))


def test_operation_that_is_not_shipped_is_told_by_its_file(shipped: Path, seven: Path) -> None:
    (shipped / model_name(PRODUCT)).unlink()
    assert_one_line(call(command, seven, 4, "--operation", "product"), 3, "mnistsum-product.onnx", "cannot be read")


def test_file_of_another_operation_is_refused(model_file: Path, seven: Path) -> None:
    called = call(command, seven, 4, "--model", model_file, "--operation", "product")
    assert_one_line(called, 3, "its operation is sum, asked for was product")
    with pytest.raises(ModelError, match="its operation is sum"):
        Predictor(model_file, operation=PRODUCT.name)
    assert Predictor(model_file, operation=SUM.name).predict(seven, 4).value == 11


@pytest.mark.parametrize("command", [verify, doctor], ids=["verify", "doctor"])
def test_devices_are_checked_for_the_operation_that_is_asked_for(
    command: Command, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(shipped.parent))  # for the doctor's child
    for operation in OPERATIONS.values():
        path = shipped / model_name(operation)
        write_recorded(path, path.read_bytes())
        called = call(command, "--operation", operation.name)
        assert called.code == 0, called
        assert f"{path.name}" in called.out
    assert model_name(SUM) in call(command).out


@pytest.mark.parametrize("command", [verify, bench, doctor], ids=["verify", "bench", "doctor"])
def test_devices_are_not_checked_with_a_file_of_another_operation(command: Command, model_file: Path) -> None:
    called = call(command, "--model", model_file, "--operation", "product")
    assert called.code != 0
    assert "its operation is sum, asked for was product" in called.out + called.err


def test_unknown_operation_is_a_wrong_call(seven: Path) -> None:
    assert_one_line(call(command, seven, 4, "--operation", "quotient"), 2, "quotient")
    with pytest.raises(CallError, match="operation must be sum or product, found 'quotient'"):
        Predictor(operation="quotient")
