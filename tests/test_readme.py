"""The README tells the truth: its figures come from the files, and its commands print what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def run(command: str) -> str:
    """Run a line of the README in the checkout, with this environment's commands on the path."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return result.stdout


def test_figures_are_those_of_the_files() -> None:
    check = [sys.executable, "artifacts/make_tables.py", "--check"]
    assert subprocess.run(check, cwd=ROOT, check=False).returncode == 0, "run `make tables`"


def transcripts() -> list[tuple[str, str]]:
    """(command, output) of every console block that calls one of our commands."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [block.partition("\n") for block in blocks]
    return [(first.removeprefix("$ "), rest) for first, _, rest in lines if first.startswith("$ mnistsum-")]


@pytest.mark.parametrize(("command", "output"), transcripts())
def test_transcript_is_real(command: str, output: str) -> None:
    assert run(command) == output


def test_make_run_prints_its_transcript() -> None:
    shown = re.search(r"\$ make run\n\S+/mnistsum-run (.*)\n(.*)\n", README)
    assert shown
    assert run(f"mnistsum-run {shown[1]}") == shown[2] + "\n"


def test_python_example_prints_what_its_comment_says() -> None:
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block
    expected = re.search(r"# (.*)\n", block[1])
    assert expected
    result = subprocess.run([sys.executable, "-c", block[1]], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == expected[1]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):]+)\)", README))))
def test_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)\b(?=[^\n]*(?:#|`|\n))", README)) - {"it"}))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
