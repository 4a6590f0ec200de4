"""Every command works without what only POSIX systems, or only Linux, have: as on Windows and macOS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.measure import limited
from mnistsum_runtime.measure.doctor import check_trial, try_model

LINUX_ALONE = ("memfd_create", "sched_getaffinity", "pread", "pidfd_open")
POSIX_ALONE = ("fork", "wait4", "sysconf", "getuid", "geteuid", "getppid", "mkfifo", "statvfs", "nice", "getloadavg")
POSIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "syslog")
POSIX_SIGNALS = ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGPIPE", "SIGCHLD")
MISSING = {
    "macos": (LINUX_ALONE, (), ()),
    "windows": (LINUX_ALONE + POSIX_ALONE, POSIX_MODULES, POSIX_SIGNALS),
}
TAKE_AWAY = """
import os, shutil, signal, subprocess, sys, tempfile
functions, modules, signals = {missing}
for name in functions:
    if hasattr(os, name): delattr(os, name)
for name in modules:
    sys.modules[name] = None
for name in signals:
    if hasattr(signal, name): delattr(signal, name)
"""
"""Python's own modules are imported first: they would know where they really are."""
SAMPLE = Path(__file__).parents[2] / "artifacts/samples/seven.png"


def environment(folder: Path, system: str) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(TAKE_AWAY.format(missing=MISSING[system]), encoding="utf-8")
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("system", MISSING)
@pytest.mark.parametrize(
    "words",
    [
        ("run", SAMPLE, 4),
        ("run", SAMPLE, 4, "--explain", "OUT"),
        ("run", "--version"),
        ("verify",),
        ("verify", "--limited"),
        ("doctor",),
        ("evaluate", "PICTURES", "--explain", "OUT"),
        pytest.param(("bench", "--threads", 1), marks=pytest.mark.slow),
        ("serve", "--print-unit"),
    ],
    ids=lambda words: " ".join(str(word) for word in words if word != SAMPLE),
)
def test_a_command_works(words: tuple[object, ...], system: str, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures/8"  # a wrong label: something to draw
    pictures.mkdir(parents=True)
    (pictures / "seven.png").write_bytes(SAMPLE.read_bytes())
    places = {"PICTURES": pictures.parent, "OUT": tmp_path / "out.png"}
    check = [sys.executable, "-c", "import os; print(hasattr(os, 'memfd_create'))"]
    assert subprocess.check_output(check, env=environment(tmp_path, system)) == b"False\n"
    command, *rest = (str(places.get(str(word), word)) for word in words)
    program = f"from mnistsum_runtime.commands.{command} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *rest],
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path, system),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert places["OUT"].exists() == ("OUT" in words)


def test_a_child_that_windows_has_ended_is_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its codes are not negative: 0xC0000005 is a memory fault."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0xC0000005))
    with pytest.raises(ModelError, match="died of a memory fault"):
        limited.run_limited("verify", [])


@pytest.mark.parametrize(
    ("code", "found"), [(0xC000001D, "an illegal instruction"), (0xC0000005, "a memory fault"), (0xC0000409, "409")]
)
def test_the_doctor_says_how_windows_has_ended_a_child(code: int, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps(["numpy", "2.4.6"]) + "\n" + json.dumps(["Pillow", "13.0.0"])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], code, said, ""))
    *_, last = check_trial(try_model(None))
    assert last.name == "importing onnxruntime"
    assert found in last.found
