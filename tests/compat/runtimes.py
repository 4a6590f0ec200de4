"""The onnxruntime releases that files are tried on, each in an environment of its own."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from build_cache import make_once
from child_process import run_well

PYTHON = "3.11"
"""The only Python that all of them have wheels for; onnxruntime 1.15.1 has none for newer ones."""


@dataclass(frozen=True)
class Runtime:
    """An onnxruntime release and what is installed beside it."""

    onnxruntime: str
    beside: tuple[str, ...]
    """Requirements of pip. Releases before 1.19 are built for numpy 1 and do not say so."""


OLD = (
    # The oldest of every range in pyproject.toml.
    Runtime("1.15.1", ("numpy==1.26.0", "Pillow==10.1.0", "click==8.1.0")),
    Runtime("1.17.3", ("numpy<2", "Pillow", "click")),
    Runtime("1.20.1", ("numpy", "Pillow", "click")),
    Runtime("1.23.2", ("numpy", "Pillow", "click")),
)


def newest() -> Runtime:
    """The newest release that pip finds.

    Raises:
        click.ClickException: pip finds none.
    """
    options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-"]
    report = json.loads(run_well([sys.executable, "-m", "pip", "install", *options, "onnxruntime"]))
    return Runtime(report["install"][0]["metadata"]["version"], ("numpy", "Pillow", "click"))


def environment_python(runtime: Runtime) -> Path:
    """The Python of the release's environment, which is made at the first call.

    Raises:
        click.ClickException: It cannot be made.
    """

    def make(folder: Path) -> None:
        click.echo(f"installing onnxruntime {runtime.onnxruntime} ...", err=True)
        run_well([_base_python(), "-m", "venv", folder])
        requirements = [f"onnxruntime=={runtime.onnxruntime}", *runtime.beside]
        run_well([folder / "bin/python", "-m", "pip", "install", "--quiet", *requirements])

    return make_once(f"onnxruntime-{runtime.onnxruntime}-python-{PYTHON}", make) / "bin/python"


def _base_python() -> str:
    name = f"python{PYTHON}"
    found = sys.executable if f"python{sys.version_info.major}.{sys.version_info.minor}" == name else shutil.which(name)
    if found is None:
        raise click.ClickException(
            f"{name} is not installed: onnxruntime {OLD[0].onnxruntime} has no wheel for newer ones"
        )
    return found
