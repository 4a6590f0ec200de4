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
from mnistsum_train.calibration import RISK, VARIED_RISK

ROOT = Path(__file__).parents[1]
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
OWN_NETWORK = re.split(r"^(?=## )", README.partition("## Prove your own network")[2], maxsplit=1, flags=re.MULTILINE)[0]
"""The section whose lines are run in a folder of their own."""


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
    assert base["reliability_held_out"]["right"] >= 1 - RISK
    return [
        (r"leaves at most (\S+ %) of the reliable answers wrong", f"{100 * RISK:g} %"),
        (r"and at most (\S+ %)\s+where the pictures are varied", f"{100 * VARIED_RISK:g} %"),
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
        count = int(word) if word.isdigit() else WORDS.index(word)
        assert accuracy == f"{100 * (1 - count / pictures):.2f} %"


def transcripts() -> list[tuple[str, str]]:
    """(command, output) of every console block that calls one of our commands in the checkout."""
    blocks = re.findall(r"```console\n(.*?)```", README.replace(OWN_NETWORK, ""), re.DOTALL)
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
    block = re.search(r"```python\n(from mnistsum_runtime import .*?)```", README, re.DOTALL)
    assert block
    expected = re.search(r"# (.*)\n", block[1])
    assert expected
    result = subprocess.run([sys.executable, "-c", block[1]], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == expected[1]


def without_figures(line: str) -> str:
    """A line of a transcript without what differs from machine to machine."""
    figures = re.sub(r"\b[0-9a-f]{12}\b|\d[\d.,]*(e[+-]\d+)?", "#", line)
    return re.sub(" +", " ", figures)  # of which some are wider than others


@pytest.mark.slow
def test_own_network_is_proven_verified_and_its_broken_weight_named(tmp_path: Path) -> None:
    """Every line of the section, in order; what it shows is among what is printed, but for the figures."""
    for name, content in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", OWN_NETWORK, re.DOTALL):
        (tmp_path / name).write_text(content)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    commands = []
    for block in re.findall(r"```console\n(.*?)```", OWN_NETWORK, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            done = subprocess.run(
                shlex.split(command), capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
            )
            said = {without_figures(line) for line in (done.stdout + done.stderr).splitlines()}
            assert {without_figures(line) for line in shown.splitlines()} <= said, (command, done)
            commands.append((command.split()[0], done.returncode))
    assert [code for _, code in commands] == [0, 0, 0, 0, 0, 1]
    assert not (tmp_path / "again.onnx").exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):]+)\)", README))))
def test_link_leads_somewhere(path: str) -> None:
    file, _, heading = path.partition("#")
    assert (ROOT / file).exists()
    if heading:
        text = (ROOT / (file or "README.md")).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)\b(?=[^\n]*(?:#|`|\n))", README)) - {"it"}))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
