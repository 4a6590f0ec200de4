"""The README tells the truth: its figures come from the files, and its commands print what it shows."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mnistsum_runtime.explain.panels import MOST_PANELS
from mnistsum_train.calibration import DOUBTFUL

ROOT = Path(__file__).parents[1]
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
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


def prose_figures() -> list[tuple[str, str]]:
    """(what the prose says around its figure, what the figure must be), each from the file or constant it is about."""
    seeds, base, large, race = (
        json.loads((ROOT / "artifacts" / path).read_text(encoding="utf-8"))
        for path in ("seeds.json", "sum/report.json", "sum-large/report.json", "race.json")
    )
    assert base["reliability_validation"]["digits"] >= 1 - DOUBTFUL
    return [
        (r"calls at most (\S+ %) of the validation pairs doubtful", f"{100 * DOUBTFUL:g} %"),
        (r"\[What base gets wrong over (\w+) seeds\]", WORDS[len(seeds["base"]["seeds"])]),
        (r"`large`, for the highest accuracy, is (\w+) networks", WORDS[large["members"]]),
        (
            r"PyTorch's own MNIST example as its page describes\s+it, until (\S+ %)",
            f"{race['target']:.1%}".replace("%", " %"),
        ),
        (r"From four pictures\s+on it is a contact sheet in two columns, at most (\d+) panels", str(MOST_PANELS)),
    ]


@pytest.mark.parametrize(("pattern", "figure"), prose_figures())
def test_a_figure_in_prose_is_that_of_its_file(pattern: str, figure: str) -> None:
    said = re.search(pattern, README)
    assert said, "the README says this in other words: put them here, with their figure"
    assert said[1] == figure


def test_errors_that_every_seed_makes_give_the_accuracy_that_prose_says() -> None:
    pictures = json.loads((ROOT / "artifacts/sum/report.json").read_text(encoding="utf-8"))["test"]["pairs"] / 10
    said = re.search(
        r"erred on those (\w+) alone would be right in (\S+ %), and on those (\w+) alone in (\S+ %)", README
    )
    assert said
    for word, accuracy in (said.group(1, 2), said.group(3, 4)):
        assert accuracy == f"{100 * (1 - WORDS.index(word) / pictures):.2f} %"


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
