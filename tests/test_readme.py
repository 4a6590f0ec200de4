"""The pages tell the truth: their figures come from the files, and their commands print what they show."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnistsum_runtime.explain.panels import MOST_PANELS
from mnistsum_train.calibration import RISK, VARIED_RISK

ROOT = Path(__file__).parents[1]
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(ROOT.glob("*/*.md")))
}
README = PAGES["README.md"]
TEXT = "\n".join(PAGES.values())
BIN = Path(sys.executable).parent
OWN_NETWORK, PACKAGE = PAGES["export/own-network.md"], PAGES["runtime/PACKAGE.md"]
"""Pages whose lines are run in a folder of their own; that of the package in `test_dist`."""


def run(command: str, folder: Path = ROOT) -> str:
    """Run a line of a page in the checkout, with this environment's commands on the path."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        shlex.split(command), capture_output=True, text=True, check=True, cwd=folder, env=environment
    )
    return result.stdout


def test_figures_are_those_of_the_files() -> None:
    check = [sys.executable, "artifacts/make_tables.py", "--check"]
    assert subprocess.run(check, cwd=ROOT, check=False).returncode == 0, "run `make tables`"


def test_the_first_page_is_short() -> None:
    assert README.count("\n") <= 300


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
    said = re.search(pattern, TEXT)
    assert said, "the pages say this in other words: put them here, with their figure"
    assert said[1] == figure


def test_errors_that_every_seed_makes_give_the_accuracy_that_prose_says() -> None:
    pictures = json.loads((ROOT / "artifacts/sum/report.json").read_text(encoding="utf-8"))["test"]["pairs"] / 10
    said = re.search(r"erred on those (\w+) alone would be right in (\S+ %), and on those (\w+) alone in (\S+ %)", TEXT)
    assert said
    for word, accuracy in (said.group(1, 2), said.group(3, 4)):
        count = int(word) if word.isdigit() else WORDS.index(word)
        assert accuracy == f"{100 * (1 - count / pictures):.2f} %"


def console(text: str) -> list[tuple[str, str]]:
    """(command, what it shows) of every line after a `$` in a page's console blocks."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def transcripts() -> list[tuple[str, str]]:
    """Every call of one of our commands with what it shows, but for the page that has a folder of its own."""
    pages = (text for text in PAGES.values() if text not in (OWN_NETWORK, PACKAGE))
    found = [pair for text in pages for pair in console(text)]
    return sorted({(command, shown) for command, shown in found if command.startswith("mnistsum-") and shown})


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


ELSEWHERE = {
    "git clone ADDRESS mnistsum && cd mnistsum": "this is one",
    "make run": "test_make_run_prints_its_transcript, and .ci/run",
    "make .venv/.installed && . .venv/bin/activate": "what runs this test was made so",
    "make wheelhouse": "make pi",
    "scp -r wheelhouse pi@raspberrypi.local:": "make pi, which mounts it",
    "python3 -m venv ~/mnistsum-venv": "make pi",
    "~/mnistsum-venv/bin/pip install --no-index --require-hashes --find-links ~/wheelhouse"
    " -r ~/wheelhouse/requirements.txt": "make pi",
    "~/mnistsum-venv/bin/mnistsum-verify": "make pi",
    "rpicam-still -n -o photo.jpg && ~/mnistsum-venv/bin/mnistsum-run photo.jpg 4": "tests/test_readme_camera.py",
    "mnistsum-serve --host 0.0.0.0": "tests/runtime/test_serve.py",
}
"""Lines of the first page that cannot be run here, and where they are."""


def test_lines_that_are_run_elsewhere_are_on_the_page() -> None:
    assert set(ELSEWHERE) <= {command for command, _ in console(README)}


@pytest.mark.slow
def test_every_line_of_the_first_page_runs_after_the_lines_before_it(tmp_path: Path) -> None:
    """In a copy of the checkout, as one shell has them."""
    here = tmp_path / "mnistsum"
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for name in names.split("\0")[:-1]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, here / name)
    lines = [command for command, _ in console(README) if command not in ELSEWHERE]
    assert len(lines) >= 10
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], capture_output=True, text=True, check=False, cwd=here, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (here / "runs" / "answers").is_dir()


def without_figures(line: str) -> str:
    """A line of a transcript without what differs from machine to machine."""
    figures = re.sub(r"\b[0-9a-f]{12}\b|\d[\d.,]*(e[+-]\d+)?", "#", line)
    return re.sub(" +", " ", figures)  # of which some are wider than others


@pytest.mark.slow
def test_own_network_is_proven_verified_and_its_broken_weight_named(tmp_path: Path) -> None:
    """Every line of the page, in order; what it shows is among what is printed, but for the figures."""
    shown = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", OWN_NETWORK, re.DOTALL))
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "export" / "examples").glob("*.py")}
    assert shown == files
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    commands = []
    for command, output in console(OWN_NETWORK):
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )
        said = {without_figures(line) for line in (done.stdout + done.stderr).splitlines()}
        assert {without_figures(line) for line in output.splitlines()} <= said, (command, done)
        commands.append((command.split()[0], done.returncode))
    assert [code for _, code in commands] == [0, 0, 0, 0, 0, 1]
    assert not (tmp_path / "again.onnx").exists()


LINKS = sorted({(page, path) for page, text in PAGES.items() for path in re.findall(r"\]\(([^):\s]+)\)", text)})


@pytest.mark.parametrize(("page", "path"), LINKS)
def test_link_leads_somewhere(page: str, path: str) -> None:
    file, _, heading = path.partition("#")
    target = (ROOT / page).parent / file if file else ROOT / page
    assert target.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^\$ )make ([a-z-]+)\b", TEXT, re.MULTILINE))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_what_takes_long_says_so_in_the_list_of_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = dict(re.findall(r"^([a-z-]+):.*## (.*)$", makefile, re.MULTILINE))
    long = ("test", "train", "folds", "seeds", "race", "artifacts", "reality", "writers", "pi", "boards", "compat")
    for target in (*long, "faults", "campaign", "zoo", "browser", "serve-bench", "batch-bench", "wheelhouse"):
        assert re.search(r"minute|hour|second|a day", told[target]), f"make {target} does not say how long it takes"
