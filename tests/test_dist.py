"""The wheel and the sdist, built as a user would build them: what is in them, and that they work somewhere else."""

import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from child_process import run_well

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
    assert data == shipped_files() | PAGE | ALONE


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_no_dataset_no_checkpoint_no_tests(kind: str, request: pytest.FixtureRequest) -> None:
    names = list(names_in(request.getfixturevalue(kind)))
    assert not [name for name in names if name.suffix in (".gz", ".safetensors", ".pyc") or "ubyte" in name.name]
    assert not [name for name in names if "tests" in name.parts or name.name.startswith(("test_", "conftest"))]


def test_sdist_has_what_the_wheel_is_built_from(sdist: Path) -> None:
    names = {str(name) for name in names_in(sdist)}
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "PKG-INFO"} <= names
    assert {f"artifacts/mnistsum_artifacts/{name}" for name in shipped_files()} <= names
    assert not [name for name in names if name.startswith("artifacts/") and "mnistsum_artifacts" not in name]


def test_package_index_would_take_both(wheel: Path, sdist: Path) -> None:
    run_well([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])


def test_wheel_answers_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    bin_folder = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    python = bin_folder / "python"
    run_well([python, "-m", "pip", "--quiet", "install", "-c", ROOT / "constraints.txt", wheel])
    answer = run_well([bin_folder / "mnistsum-run", SEVEN, "4"], folder=tmp_path)
    assert "digit 7" in answer
    assert "7 + 4 = 11" in answer
    run_well([bin_folder / "mnistsum-verify"], folder=tmp_path)
    run_well([bin_folder / "mnistsum-doctor"], folder=tmp_path)
    train = subprocess.run([bin_folder / "mnistsum-train"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert train.returncode == 2
    assert "mnistsum[train]" in train.stderr
