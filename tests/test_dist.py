"""The wheel and the sdist, built as a user would build them: what is in them, and that they work somewhere else."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from child_process import run, run_well

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SEVEN = ROOT / "artifacts" / "samples" / "seven.png"
PACKAGES = {"mnistsum_runtime", "mnistsum_train", "mnistsum_export", "mnistsum_artifacts"}
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both; `build` makes the wheel from the sdist, so that one is complete."""
    folder = tmp_path_factory.mktemp("dist")
    run_well([sys.executable, "-m", "build", "--outdir", folder, ROOT])
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Path:
    (path,) = dist.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a clean environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run_well([python, "-m", "pip", "--quiet", "install", "-c", ROOT / "constraints.txt", wheel])
    return python


def names_in(path: Path) -> Iterator[PurePosixPath]:
    """Paths inside a wheel, or inside an sdist without its first folder."""
    if path.suffix == ".whl":
        with ZipFile(path) as archive:
            yield from map(PurePosixPath, archive.namelist())
    else:
        with tarfile.open(path) as archive:
            yield from (PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames())


def shipped_files() -> set[str]:
    """The data that a user needs: every model in the tree, each with its references."""
    models = {path.name for path in (ROOT / "artifacts" / "mnistsum_artifacts").glob("*.onnx")}
    return models | {name.replace(".onnx", ".references.npz") for name in models}


def test_wheel_is_pure_python_and_small(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 4 * MEGABYTE


PAGE = {"index.html", "page.css", "paper.js", "showing.js", "server.js", "page.js", "icon.svg"}
"""What `mnistsum-serve` gives a browser."""
ALONE = {path.name for path in (ROOT / "export" / "mnistsum_export" / "page").glob("*.*s")}
"""What `mnistsum-export --page` adds to it."""


def test_the_page_is_small(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        sizes = [info.file_size for info in archive.infolist() if Path(info.filename).name in PAGE]
    assert len(sizes) == len(PAGE)
    assert sum(sizes) <= 100_000


def test_wheel_has_the_packages_the_models_and_the_licences_and_nothing_else(wheel: Path) -> None:
    names = list(names_in(wheel))
    (info,) = {name.parts[0] for name in names if name.parts[0].endswith(".dist-info")}
    assert {name.parts[0] for name in names} == PACKAGES | {info}
    assert {name.name for name in names if name.parts[0] == info and "licenses" in name.parts} == {"LICENSE", "NOTICE"}
    assert {name.parts[0] for name in names if name.name == "py.typed"} == PACKAGES
    data = {name.name for name in names if name.parts[0] in PACKAGES and name.suffix != ".py"} - {"py.typed"}
    assert "mnistsum-sum.onnx" in data
    assert {"alone.js", "alone.css"} < ALONE
    assert data == shipped_files() | PAGE | ALONE | {"known.json"}  # what mnistsum-doctor knows of boards


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_no_dataset_no_checkpoint(kind: str, request: pytest.FixtureRequest) -> None:
    names = list(names_in(request.getfixturevalue(kind)))
    assert not [name for name in names if name.suffix in (".gz", ".safetensors", ".pyc") or "ubyte" in name.name]


def test_no_tests_in_the_wheel(wheel: Path) -> None:
    names = names_in(wheel)
    assert not [name for name in names if "tests" in name.parts or name.name.startswith(("test_", "conftest"))]


def test_sdist_has_what_the_wheel_is_built_from(sdist: Path) -> None:
    names = {str(name) for name in names_in(sdist)}
    assert {"pyproject.toml", "runtime/PACKAGE.md", "README.md", "LICENSE", "NOTICE", "PKG-INFO"} <= names
    assert ".github/SECURITY.md" in names
    assert {f"artifacts/mnistsum_artifacts/{name}" for name in shipped_files()} <= names
    assert {name.split("/")[1] for name in names if name.startswith("artifacts/")} == {"mnistsum_artifacts", "samples"}


def test_package_index_would_take_both(wheel: Path, sdist: Path) -> None:
    run_well([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])


def test_the_index_s_page_has_no_link_that_leads_nowhere_there(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    head, _, page = metadata.partition("\n\n")
    assert page == (ROOT / "runtime" / "PACKAGE.md").read_text(encoding="utf-8")
    assert not re.findall(r"\]\(|<img|<a |://", page)
    assert "Project-URL" not in head and "Home-page" not in head  # there is no public address


def test_the_index_s_page_says_what_is_so(python: Path, tmp_path: Path) -> None:
    page = (ROOT / "runtime" / "PACKAGE.md").read_text(encoding="utf-8")
    (tmp_path / "seven.png").write_bytes(SEVEN.read_bytes())
    answer = run_well([python.with_name("mnistsum-run"), "seven.png", "4"], folder=tmp_path)
    assert f"$ mnistsum-run seven.png 4\n{answer}$ mnistsum-verify\n" in page
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (printed,) = re.findall(r"print\(prediction\)  # (.*)", program)
    assert run_well([python, "-c", program], folder=tmp_path) == f"{printed}\n"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"`mnistsum\[(\w+)\]`", page)) == set(extras) - {"dev"}


PROGRAM = """
# pyright: strict
import sys
from typing import assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime import CallError, PictureError, Prediction, Predictor, prepare, read_picture


def read(path: str, number: int) -> str:
    predictor = Predictor("sum", threads=2, min_confidence=0.9)
    prediction = predictor.predict(path, number)
    assert_type(prediction, Prediction)
    assert_type(prediction.digit, int)
    assert_type(prediction.reason, str | None)
    assert_type(prediction.digit_probabilities, NDArray[np.float32])
    assert_type(predictor.explain(path, number), Image.Image)
    assert_type(predictor.predict_many([path], number), list[Prediction])
    assert_type(predictor.predict_many([path], [number], "return"), list[Prediction | PictureError])
    assert_type(prepare(read_picture(path)), NDArray[np.float32])
    return prediction.to_line(path)


try:
    print(read(sys.argv[1], int(sys.argv[2])))
except (CallError, PictureError) as error:
    sys.exit(str(error))
"""
WRONG = "from mnistsum_runtime import Predictor\nx: str = Predictor(3).predict('7.png', 'four').digit\n"
"""Three mistakes in its second line."""


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_read_the_installed_wheel(checker: str, python: Path, tmp_path: Path) -> None:
    options = {"mypy": ("--strict", "--config-file=", "--python-executable"), "pyright": ("--pythonpath",)}
    call = [sys.executable, "-m", checker, *options[checker], str(python)]
    offline = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    run_well([*call, "program.py"], offline, tmp_path)
    found = run([*call, "wrong.py"], offline, tmp_path)
    assert found.returncode == 1
    assert len(re.findall(r"wrong\.py:2.* error: ", found.stdout)) == 3, found.stdout
    if checker == "mypy":
        (tmp_path / "7.png").write_bytes(SEVEN.read_bytes())
        assert run_well([python, "program.py", "7.png", "4"], folder=tmp_path).startswith("7.png: digit 7 ")


def test_the_sdist_tests_itself(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    packages = os.pathsep.join(str(root / name) for name in ("runtime", "train", "export", "artifacts"))
    environment = os.environ | {"PYTHONPATH": packages}
    where = run_well([sys.executable, "-c", "import mnistsum_runtime as m; print(m.__file__)"], environment, tmp_path)
    assert Path(where.strip()).is_relative_to(root)
    pytest_there = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    collected = run_well([*pytest_there, "--collect-only"], environment, root)
    assert "test_serve_malformed.py" in collected  # every file can be imported there
    quick = [f"tests/runtime/test_{name}.py" for name in ("operation", "predictor", "reliability", "verify_references")]
    run_well([*pytest_there, *quick], environment, root)


def test_wheel_answers_in_a_clean_environment(python: Path, tmp_path: Path) -> None:
    bin_folder = python.parent
    answer = run_well([bin_folder / "mnistsum-run", SEVEN, "4"], folder=tmp_path)
    assert "digit 7" in answer
    assert "7 + 4 = 11" in answer
    run_well([bin_folder / "mnistsum-verify"], folder=tmp_path)
    run_well([bin_folder / "mnistsum-doctor"], folder=tmp_path)
    train = subprocess.run([bin_folder / "mnistsum-train"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert train.returncode == 2
    assert "mnistsum[train]" in train.stderr
