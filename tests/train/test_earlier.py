"""What an earlier training has left is never written over without a word."""

from pathlib import Path

import pytest

from mnistsum_runtime.errors import CallError
from mnistsum_train.earlier import FILES, take_over


def leave(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")


def names_in(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_an_empty_folder_is_free_for_all(tmp_path: Path) -> None:
    leave(tmp_path, "notes.txt", "photo.png")
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        take_over(tmp_path, [tmp_path], resume=resume, overwrite=overwrite)
    assert names_in(tmp_path) == {"notes.txt", "photo.png"}


@pytest.mark.parametrize("name", [*FILES, "member-3/state.safetensors"])
def test_any_trace_of_a_training_is_a_reason_to_ask(tmp_path: Path, name: str) -> None:
    leave(tmp_path, name)
    with pytest.raises(CallError, match=r"go on with it \(--resume\), begin again in its place \(--overwrite\)"):
        take_over(tmp_path, [tmp_path], resume=False, overwrite=False)
    assert names_in(tmp_path) == {name}


def test_the_message_tells_a_finished_training_from_a_begun_one(tmp_path: Path) -> None:
    leave(tmp_path, "state.safetensors", "member-0/report.json")
    with pytest.raises(CallError, match="holds a begun training"):
        take_over(tmp_path, [tmp_path], resume=False, overwrite=False)
    leave(tmp_path, "report.json")
    with pytest.raises(CallError, match="holds a finished training"):
        take_over(tmp_path, [tmp_path], resume=False, overwrite=False)


def test_overwriting_deletes_the_training_and_nothing_else(tmp_path: Path) -> None:
    leave(tmp_path, *FILES, *(f"member-0/{name}" for name in FILES), "notes.txt", "other/checkpoint.safetensors")
    take_over(tmp_path, [tmp_path], resume=False, overwrite=True)
    assert names_in(tmp_path) == {"notes.txt", "other/checkpoint.safetensors"}


@pytest.mark.parametrize("state", ["state.safetensors", "teacher.safetensors"])
def test_what_left_a_state_is_gone_on_with(tmp_path: Path, state: str) -> None:
    leave(tmp_path, state, "report.json")
    take_over(tmp_path, [tmp_path], resume=True, overwrite=False)
    assert names_in(tmp_path) == {state, "report.json"}


def test_members_are_gone_on_with_where_one_of_them_left_a_state(tmp_path: Path) -> None:
    places = [tmp_path / "member-0", tmp_path / "member-1"]
    leave(tmp_path, "member-1/state.safetensors")
    take_over(tmp_path, places, resume=True, overwrite=False)
    with pytest.raises(CallError, match=r"left no state\.safetensors"):
        take_over(tmp_path, [tmp_path / "member-2", tmp_path / "member-3"], resume=True, overwrite=False)


def test_results_without_a_state_are_not_written_over_by_resuming(tmp_path: Path) -> None:
    leave(tmp_path, "checkpoint.safetensors", "report.json")
    with pytest.raises(CallError, match=r"left no state\.safetensors.*--overwrite"):
        take_over(tmp_path, [tmp_path], resume=True, overwrite=False)
