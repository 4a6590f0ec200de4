"""Files that are written together: all of them or none."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Never

import pytest

from mnistsum_runtime.atomic import is_same_file, write_atomically, write_together
from mnistsum_runtime.errors import WorkError


@pytest.mark.parametrize("failure", [PermissionError(1, "Operation not permitted"), KeyboardInterrupt()])
@pytest.mark.parametrize("stood", [b"old", None])
def test_a_rename_that_fails_puts_the_old_files_back(
    failure: BaseException, stood: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    if stood is not None:
        first.write_bytes(stood)
        second.write_bytes(stood)
    replace = Path.replace

    def fail_at_second(beside: Path, path: Path) -> Path:
        if path == second:
            raise failure
        return replace(beside, path)

    monkeypatch.setattr(Path, "replace", fail_at_second)
    with pytest.raises((WorkError, KeyboardInterrupt)):
        write_together({first: b"new", second: b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == (
        {} if stood is None else {"a": stood, "b": stood}
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(WorkError, match="a device or a pipe"):
        write_together({tmp_path / "a": b"new", pipe: b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_path_is_known_however_it_is_written(tmp_path: Path) -> None:
    one = tmp_path / "a"
    one.write_bytes(b"a")
    (tmp_path / "hard").hardlink_to(one)
    (tmp_path / "soft").symlink_to(one)
    for other in (one, tmp_path / "hard", tmp_path / "soft", f"{tmp_path}/../{tmp_path.name}/a"):
        assert is_same_file(one, other)
    assert not is_same_file(one, tmp_path / "none")
    assert not is_same_file(one, "a\0b")


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    head = "import os, signal, sys, time; from pathlib import Path; from mnistsum_runtime import atomic\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + script, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    stop = (
        "atomic.os.fsync = lambda _: (print('there', flush=True), {})\natomic.write_atomically(Path(sys.argv[1]), b'x')"
    )
    killed = child(stop.format("os.kill(os.getpid(), signal.SIGKILL)"), path)
    killed.communicate()
    living = child(stop.format("time.sleep(60)"), path)
    assert living.stdout is not None
    living.stdout.readline()
    assert len(list(tmp_path.glob(".a.*.tmp"))) == 1, "the killed one's was taken away by the next"
    (tmp_path / ".a.note.tmp").write_bytes(b"somebody's own")
    (tmp_path / ".ab.12345678.tmp").write_bytes(b"of another file")
    write_atomically(path, b"new")
    assert len(list(tmp_path.glob(".a.????????.tmp"))) == 1
    living.kill()
    living.communicate()
    write_atomically(path, b"newer")
    assert {file.name for file in tmp_path.iterdir()} == {"a", ".a.note.tmp", ".ab.12345678.tmp"}


def test_a_signal_between_two_renames_waits_until_both_stand(tmp_path: Path) -> None:
    script = (
        "rename = Path.replace\n"
        "def slow(one, other):\n"
        "    found = rename(one, other)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return found\n"
        "Path.replace = slow\n"
        "atomic.write_together({Path(sys.argv[1]): b'new', Path(sys.argv[2]): b'new'})\n"
        "print('not ended')"
    )
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"old")
    process = child(script, *paths)
    said, _ = process.communicate()
    assert (process.returncode, said) == (-signal.SIGTERM, "")
    assert [path.read_bytes() for path in paths] == [b"new", b"new"]
    assert len(list(tmp_path.iterdir())) == 2


def test_of_two_calls_at_once_the_files_of_one_stand(tmp_path: Path) -> None:
    script = (
        "rename = Path.replace\n"
        "Path.replace = lambda one, other: (rename(one, other), time.sleep(0.002))[0]\n"
        "paths = [Path(text) for text in sys.argv[2:]]\n"
        "for _ in range(40): atomic.write_together(dict.fromkeys(paths, sys.argv[1].encode()))"
    )
    paths = [tmp_path / name for name in ("a", "b")]
    for _ in range(3):
        processes = [child(script, word, *paths) for word in ("one", "other")]
        for process in processes:
            process.communicate()
            assert process.returncode == 0
        assert len({path.read_bytes() for path in paths}) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_listed_can_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Never:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_pipe_that_looks_left_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".a.12345678.tmp")
    write_atomically(tmp_path / "a", b"new")
    assert {file.name for file in tmp_path.iterdir()} == {"a", ".a.12345678.tmp"}


def test_a_file_that_has_no_lock_yet_is_not_taken_for_one_that_was_left(tmp_path: Path) -> None:
    """Between making it and locking it, another process must not look."""
    path = tmp_path / "a"
    script = (
        "lock = atomic.try_lock\n"
        "atomic.try_lock = lambda file: (print('there', flush=True), time.sleep(1), lock(file))[-1]\n"
        "atomic.write_atomically(Path(sys.argv[1]), b'slow')"
    )
    slow = child(script, path)
    assert slow.stdout is not None
    slow.stdout.readline()
    write_atomically(path, b"quick")
    slow.communicate()
    assert slow.returncode == 0
    assert path.read_bytes() == b"slow"
