"""Files that are written together: all of them or none."""

import os
from pathlib import Path

import pytest

from mnistsum_runtime.atomic import write_together
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
