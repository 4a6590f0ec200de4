"""`mnistsum` and `python -m mnistsum_runtime`: the other commands by one word, listed at once, completed by a shell."""

import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from calling import assert_one_line, call
from mnistsum_runtime.commands import umbrella_options
from mnistsum_runtime.commands.listed import COMMANDS
from mnistsum_runtime.commands.umbrella_options import command, summary

BIN = Path(sys.executable).parent
SEVEN = Path(__file__).parents[2] / "artifacts/samples/seven.png"


def start(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, env=os.environ | environment, timeout=120
    )


def complete(program: str, line: str, *, shell: str = "bash") -> list[str]:
    """What the script that a shell has from `program` gets for a line whose end is to be completed."""
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    words = line.split()
    place = len(words) if line.endswith(" ") else len(words) - 1
    asked = {variable: f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(place)}
    done = start(BIN / program, **asked)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_installed_command_is_listed() -> None:
    installed = {each.name for each in entry_points(group="console_scripts") if each.name.startswith("mnistsum-")}
    assert installed == {f"mnistsum-{name}" for name in COMMANDS}
    listing = call(command, "--help").out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", listing, re.MULTILINE)
    assert call(command).out == listing


@pytest.mark.parametrize("name", COMMANDS)
def test_a_listed_command_is_where_the_list_says(name: str) -> None:
    listed = COMMANDS[name]
    found = import_module(listed.parsed_in).command
    assert isinstance(found, click.Command) and found.name == f"mnistsum-{name}"
    assert callable(import_module(listed.module).main)


@pytest.mark.parametrize("words", [[BIN / "mnistsum"], [sys.executable, "-m", "mnistsum_runtime"]])
def test_it_calls_the_others(words: list[object]) -> None:
    direct, through = start(BIN / "mnistsum-run", SEVEN, 4), start(*words, "run", SEVEN, 4)
    assert (through.returncode, through.stdout, through.stderr) == (0, direct.stdout, "")
    failed = start(*words, "verify", "--model", "none.onnx")
    assert failed.returncode == 3
    assert failed.stderr.startswith("mnistsum-verify: model none.onnx: cannot be read")
    assert start(*words, "run", "--help").stdout.startswith("Usage: mnistsum-run ")


def test_a_command_that_is_not_there_is_one_line() -> None:
    assert_one_line(call(command, "rn", "7.png"), 2, "mnistsum: no command 'rn': expected one of run, verify, doctor,")
    assert_one_line(call(command, "--json", "run"), 2, "No such option")


def test_the_list_is_quick_to_have() -> None:
    script = (
        "import sys\nsys.argv = ['mnistsum', *{words}]\n"
        "from mnistsum_runtime.commands.launch import umbrella\n"
        "try:\n    umbrella()\nexcept SystemExit:\n"
        "    print({{'numpy', 'onnxruntime', 'torch', 'onnx', 'PIL', 'pyarrow', 'uvicorn'}} & set(sys.modules))"
    )
    for words in ([], ["--help"], ["--version"]):
        done = start(sys.executable, "-c", script.format(words=words))
        assert (done.stdout.splitlines()[-1], done.stderr) == ("set()", "")


def test_what_an_extra_installs_is_said_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(umbrella_options, "find_spec", lambda _: None)
    missing = {name for name in COMMANDS if f"Not installed: pip install 'mnistsum[{name}]'" in summary(name)}
    assert missing == {"batch", "serve", "train", "export"}


def test_a_ctrl_c_while_a_command_loads_ends_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; sys.argv = ['mnistsum', 'doctor']\n"
        "from mnistsum_runtime.commands import umbrella\n"
        "umbrella.COMMANDS['doctor'] = umbrella.COMMANDS['doctor']._replace(module='numpy')\n"
        "from mnistsum_runtime.commands.launch import umbrella; umbrella()"
    )
    done = start(sys.executable, "-c", script, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mnistsum ", [f"plain,{name}" for name in COMMANDS]),
        ("mnistsum v", ["plain,verify"]),
        ("mnistsum run --mo", ["plain,--model"]),
        ("mnistsum run seven.png 4 --model p", ["plain,product", "plain,product-int8"]),
        ("mnistsum train --pr", ["plain,--preset"]),
        ("mnistsum-run --ex", ["plain,--explain"]),
        ("mnistsum-run sev", ["file,sev"]),
        ("mnistsum-run seven.png 4 --operation ", ["plain,sum", "plain,product"]),
        ("mnistsum-verify --model ./m", ["file,./m"]),
        ("mnistsum-serve --model i", ["plain,int8"]),
    ],
)
def test_a_shell_completes(line: str, offered: list[str]) -> None:
    assert complete(line.split(maxsplit=1)[0], line) == offered


@pytest.mark.parametrize("name", ["mnistsum", *(f"mnistsum-{name}" for name in COMMANDS)])
def test_every_command_has_a_line_for_a_shell(name: str) -> None:
    done = start(BIN / name, **{f"_{name.upper().replace('-', '_')}_COMPLETE": "zsh_source"})
    assert (done.returncode, done.stderr) == (0, "")
    assert f"compdef _{name.replace('-', '_')}_completion {name}" in done.stdout


def test_the_help_s_lines_are_those_that_work() -> None:
    said = re.findall(r"(_MNISTSUM\w*)=(\w+)_source (mnistsum[\w-]*)", call(command, "--help").out.replace("\n", " "))
    assert {shell for _, shell, _ in said} == {"bash", "zsh", "fish"}
    for variable, shell, name in said:
        done = start(BIN / name, **{variable: f"{shell}_source"})
        assert (done.returncode, done.stderr) == (0, "")
        assert name in done.stdout
