"""What the operating system refuses a command is told as what it is: of which file, of the output, or neither."""

import os
import re
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

JOB = """
import os, sys
from mnistsum_runtime.commands.entry import exit_code, leave_quickly
def job():
    print("a line")
    {does}
    return 0
leave_quickly(exit_code("mnistsum-some", job))
"""


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"], autouse=True)
def buffering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


def call(does: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "-c", JOB.format(does=does)]
    return subprocess.run(script, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize("name", ["'references.npz'", "b'references.npz'"])
def test_a_file_that_cannot_be_read_is_named(name: str) -> None:
    done = call(f"open({name})")
    expected = "mnistsum-some: references.npz: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "a line\n", expected)


def test_an_error_without_a_file_is_not_called_the_output_s() -> None:
    done = call("raise OSError(12, os.strerror(12))")
    assert (done.returncode, done.stdout, done.stderr) == (1, "a line\n", "mnistsum-some: Cannot allocate memory\n")


def test_an_error_with_nothing_but_words_is_told_in_them() -> None:
    done = call("raise OSError('could not get source code')")
    assert (done.returncode, done.stderr) == (1, "mnistsum-some: could not get source code\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("does", ["pass", "sys.stdout.flush()"])
def test_an_output_that_fails_is_called_the_output(does: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = call(does, full.fileno())
    expected = "mnistsum-some: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_without_an_output_an_error_is_told_all_the_same() -> None:
    done = call("sys.stdout = None; raise OSError(12, os.strerror(12))")
    assert (done.returncode, done.stderr) == (1, "mnistsum-some: Cannot allocate memory\n")


def test_an_output_that_fails_in_any_way_is_recognised_by_what_is_left_in_its_buffer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    done = call("os.close(1)")
    expected = "mnistsum-some: the output cannot be written: Bad file descriptor\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_an_interrupt_while_packages_load_is_told_when_they_are_loaded() -> None:
    """A package makes a failed import of it, or swallows it: it must not see it."""
    done = call(
        """
    import signal
    from mnistsum_runtime.commands.entry import loading
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored for what runs in the background
    with loading():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000): pass
        except KeyboardInterrupt:
            raise ImportError("a package is broken")
        print("loaded")
    print("went on")
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "a line\nloaded\n", "mnistsum-some: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_an_error_that_nobody_can_be_told_keeps_its_exit_code() -> None:
    script = JOB.format(does="from mnistsum_runtime.errors import ModelError; raise ModelError('no model')")
    script = script.replace("leave_quickly(exit_code(", "sys.exit(exit_code(")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (3, b"a line\n")


def test_too_little_memory_is_told_as_that() -> None:
    done = call("raise MemoryError")
    assert (done.returncode, done.stdout, done.stderr) == (1, "a line\n", "mnistsum-some: too little memory\n")


def test_what_is_told_has_no_codes_for_the_terminal_and_no_line_of_its_own() -> None:
    done = call("from mnistsum_runtime.errors import CallError; raise CallError('a\\x1b[2J\\nverified \\u202e')")
    assert (done.returncode, done.stderr) == (2, "mnistsum-some: a\\x1b[2J verified \\u202e\n")


HELD = """
    from mnistsum_runtime.commands.entry import loading
    with loading():
        os.write(2, b"from a library in C\\n")
        {does}
    write = __import__("mnistsum_runtime.commands.entry", fromlist=["x"]).write_error
    write("of our own")
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="held on Linux alone")
def test_what_packages_print_while_they_load_reaches_nobody() -> None:
    done = call(HELD.format(does="pass"))
    assert (done.returncode, done.stderr) == (0, "of our own\n")


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="held on Linux alone")
def test_it_is_given_out_if_one_cannot_be_loaded() -> None:
    done = call(HELD.format(does="raise ImportError('no such library')"))
    expected = "mnistsum-some: the installation is broken: no such library: see mnistsum-doctor"
    assert (done.returncode, done.stderr) == (2, f"from a library in C\n{expected}\n")


# A Ctrl-C before click is there.

COMMAND = """
import os, signal, sys, time
if {early}:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
def main():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize(("early", "code"), [(True, -signal.SIGINT), (False, 130)])
def test_a_ctrl_c_while_a_command_loads_ends_it_without_a_word(early: bool, code: int, tmp_path: Path) -> None:
    (tmp_path / "some_command.py").write_text(COMMAND.format(early=early), encoding="utf-8")
    script = "from mnistsum_runtime.commands.launch import launch; launch('some_command')"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=environment, timeout=9)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    (tmp_path / "some_command.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\ndef main(): print('done')\n", encoding="utf-8"
    )
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from mnistsum_runtime.commands.launch import launch; launch('some_command')"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=environment, timeout=9)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_the_installed_commands_start_through_it() -> None:
    scripts = {each.name: each.value for each in entry_points(group="console_scripts")}
    through = {name: value for name, value in scripts.items() if name.startswith("mnistsum-")}
    direct = [name for name, value in through.items() if not re.search(r"launch:|__main__:", value)]
    assert len(through) >= 8
    assert direct == []


def test_an_import_that_a_ctrl_c_broke_is_no_broken_installation() -> None:
    done = call(
        "import signal, time\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT); time.sleep(10)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('initialization failed')"
    )
    assert (done.returncode, done.stderr) == (130, "mnistsum-some: interrupted\n")
    done = call("raise ImportError('initialization failed')")
    assert done.returncode == 2
    assert "the installation is broken: initialization failed" in done.stderr
