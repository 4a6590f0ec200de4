"""`mnistsum-batch`: whatever the pictures lie in, each becomes one row, once, with the answer of `mnistsum-run`."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from calling import Called, assert_one_line, call
from mnistsum_runtime.batch import sources, workers
from mnistsum_runtime.batch.plan import Plan, read_plan
from mnistsum_runtime.batch.stage import answer_shard
from mnistsum_runtime.commands import batch, run_options
from mnistsum_runtime.errors import WorkError
from tiny_model import drawn_digit


def png(digit: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(drawn_digit(digit)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = [(f"{index:03d}.png", png(index % 10)) for index in range(40)]
NO_PICTURE = b"no picture at all"


@pytest.fixture(autouse=True)
def shards_of_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_FEWEST", 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pictures in two folders, one of them broken."""
    place = tmp_path / "pictures"
    for index, (name, content) in enumerate(PICTURES):
        path = place / str(index % 2) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (place / "0" / "002.png").write_bytes(NO_PICTURE)
    (place / "notes.txt").write_text("no picture", encoding="utf-8")
    return place


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def answer(model_file: Path, out: Path, *arguments: object, workers: int = 1) -> Called:
    return call(batch.command, *arguments, "--out", out, "--model", model_file, "--workers", workers)


def rows(out: Path) -> list[dict[str, Any]]:
    """What an independent reader finds in the folder."""
    found: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
    return sorted(found, key=lambda row: (row["input"], row["image"]))


# What the pictures lie in.


def test_a_folder_is_answered_with_the_folders_in_it(folder: Path, model_file: Path, tmp_path: Path) -> None:
    done = answer(model_file, tmp_path / "out", folder, "--number", 4)
    assert (done.code, done.err) == (1, "")
    assert "40 pictures, 39 answered" in done.out
    assert "1 without an answer: not_a_picture" in done.out
    found = rows(tmp_path / "out")
    assert [Path(row["image"]).name for row in found] == [n for n, _ in PICTURES[0::2]] + [n for n, _ in PICTURES[1::2]]
    for row in found:
        if row["error_kind"] is None:
            assert row["value"] == row["digit"] + 4 == int(Path(row["image"]).stem) % 10 + 4
    broken = [row for row in found if row["error_kind"]]
    assert [(row["error_kind"], row["digit"], row["reliable"]) for row in broken] == [("not_a_picture", None, None)]
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == 6


def test_a_tar_is_answered_by_its_members(model_file: Path, tmp_path: Path) -> None:
    members = [(f"a/{'long' * 40}/{name}", content) for name, content in PICTURES]
    members.insert(3, ("a/notes.json", b"{}"))
    members[10] = (members[10][0], NO_PICTURE)
    tar = write_tar(tmp_path / "shard.tar", members)
    done = answer(model_file, tmp_path / "out", tar, "--number", 4)
    assert done.code == 1
    found = rows(tmp_path / "out")
    assert sorted(row["image"] for row in found) == sorted(name for name, _ in members if name.endswith(".png"))
    assert [row["image"] for row in found if row["error_kind"]] == [members[10][0]]
    good = [row for row in found if not row["error_kind"]]
    assert all(row["value"] == int(Path(row["image"]).stem) % 10 + 4 for row in good)


@pytest.mark.parametrize("wrapped", [False, True])
def test_parquet_has_pictures_and_numbers_of_its_own(wrapped: bool, model_file: Path, tmp_path: Path) -> None:
    images: list[Any] = [content for _, content in PICTURES]
    images[5] = None
    numbers: list[Any] = [index % 7 for index in range(40)]
    numbers[6], numbers[7] = None, 12
    if wrapped:
        names = [name for name, _ in PICTURES]
        images = [{"bytes": image, "path": name} for image, name in zip(images, names, strict=True)]
    parquet.write_table(pyarrow.table({"image": images, "number": numbers}), tmp_path / "p.parquet", row_group_size=9)
    done = answer(model_file, tmp_path / "out", tmp_path / "p.parquet")
    assert done.code == 1
    found = parquet.read_table(tmp_path / "out").to_pylist()
    assert [row["image"] for row in found] == [name if wrapped else f"row {i}" for i, (name, _) in enumerate(PICTURES)]
    kinds = {index: row["error_kind"] for index, row in enumerate(found) if row["error_kind"]}
    assert kinds == {5: "empty", 6: "bad_number", 7: "bad_number"}
    assert all(row["value"] == i % 10 + i % 7 for i, row in enumerate(found) if i not in kinds)


def test_a_list_names_files(folder: Path, model_file: Path, tmp_path: Path) -> None:
    paths = [folder / "0" / "000.png", folder / "1" / "001.png", folder / "nothing.png", folder]
    (tmp_path / "list.txt").write_text("\n".join(map(str, paths)) + "\n\n", encoding="utf-8")
    done = answer(model_file, tmp_path / "out", tmp_path / "list.txt", folder / "1" / "003.png", "--number", 1)
    assert done.code == 1
    by_name = {row["image"]: row for row in rows(tmp_path / "out")}
    assert sorted(by_name) == sorted(map(str, [*paths, folder / "1" / "003.png"]))
    assert by_name[str(folder / "nothing.png")]["error_kind"] == "not_readable"
    assert by_name[str(folder)]["error_kind"] == "not_readable"
    assert by_name[str(folder / "1" / "003.png")]["value"] == 4


def test_names_that_are_no_text_are_kept_readable(model_file: Path, tmp_path: Path) -> None:
    place = tmp_path / "odd"
    place.mkdir()
    for name in (b"a\xff.png", b"b\n.png", b"c d.png"):
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_bytes(png(7))
    assert answer(model_file, tmp_path / "out", place, "--number", 4).code == 0
    names = [row["image"].removeprefix(f"{place}/") for row in rows(tmp_path / "out")]
    assert names == ["a\\xff.png", "b\n.png", "c d.png"]


# The same answers as everywhere.


def test_answers_are_those_of_mnistsum_run(folder: Path, model_file: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(5):
        noise = Image.fromarray(random.integers(0, 255, (60, 50), np.uint8))
        noise.save(folder / "0" / f"noise{index}.png")
    Image.new("L", (30, 30), 255).save(folder / "1" / "blank.png")
    answer(model_file, tmp_path / "out", folder, "--number", 4)
    told = call(run_options.command, folder / "0", folder / "1", 4, "--json", "--model", model_file).out
    expected = sorted((json.loads(line) for line in told.splitlines()), key=lambda line: str(line["image"]))
    found = rows(tmp_path / "out")
    assert len(found) == len(expected) == 46
    for row, line in zip(found, expected, strict=True):
        error = None if row["error_kind"] is None else {"kind": row["error_kind"], "message": row["error_message"]}
        assert (row["image"], row["number"], error) == (line["image"], line["number"], line["error"])
        assert [row[key] for key in ("digit", "reliable", "reason")] == [
            line[k] for k in ("digit", "reliable", "reason")
        ]
        assert row["value"] == line["sum"]
        for mine, its in (("digit_confidence", "digit_confidence"), ("value_confidence", "sum_confidence")):
            assert (None if row[mine] is None else round(row[mine], 4)) == line[its]


def test_any_number_of_workers_writes_the_same_bytes(folder: Path, model_file: Path, tmp_path: Path) -> None:
    for count in (1, 3):
        answer(model_file, tmp_path / str(count), folder, "--number", 4, workers=count)
    for part in (tmp_path / "1").glob("part-*.parquet"):
        assert part.read_bytes() == (tmp_path / "3" / part.name).read_bytes()


# Nothing lost, nothing twice.


def test_the_same_command_goes_on_where_it_was(folder: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = answer(model_file, out, folder, "--number", 4, "--json")
    before = rows(out)
    kept = (out / "part-00001.parquet").stat()
    for name in ("part-00000.parquet", "part-00003.parquet"):
        (out / name).unlink()
    again = json.loads(answer(model_file, out, folder, "--number", 4, "--json").out)
    assert rows(out) == before
    assert (out / "part-00001.parquet").stat() == kept
    assert again["answered_before"] == 40 - 14
    for key in ("pictures", "answered", "reliable", "errors", "shards"):
        assert again[key] == json.loads(whole.out)[key]


def test_another_batch_into_the_same_folder_is_refused(folder: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer(model_file, out, folder, "--number", 4)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert_one_line(answer(model_file, out, folder, "--number", 5), 2, "was begun with number 4, found 5")
    shipped = call(batch.command, folder, "--number", 4, "--out", out)
    assert_one_line(shipped, 2, "was begun with model", "name another --out")
    assert_one_line(answer(model_file, out, folder / "0", "--number", 4), 2, "was begun with", "found")
    assert_one_line(answer(model_file, out, folder, folder, "--number", 4), 2, "was begun with 1 inputs, found 2")
    (folder / "new.png").write_bytes(png(3))
    assert_one_line(answer(model_file, out, folder, "--number", 4), 2, "with 40 pictures, found 41")
    (folder / "new.png").unlink()
    os.utime(folder / "0" / "000.png", (1, 1))
    assert_one_line(answer(model_file, out, folder, "--number", 4), 2, "as it was, found a changed one")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_tar_that_changes_meanwhile_is_told(model_file: Path, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", PICTURES)
    assert answer(model_file, tmp_path / "out", tar, "--number", 4).code == 0
    (tmp_path / "out" / "part-00000.parquet").unlink()
    os.utime(tar, (1, 1))
    with pytest.raises(WorkError, match="was changed while it was read"):
        answer_shard(str(tmp_path / "out"), 0)


@pytest.fixture
def started(folder: Path, model_file: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A batch in a process of its own, whose workers sleep in their first shard."""
    script = (
        "import time\n"
        "from mnistsum_runtime.batch import sources, stage\n"
        "from mnistsum_runtime.commands.batch import main\n"
        "sources._FEWEST, stage.read_shard = 7, lambda *_: time.sleep(100)\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    path = tmp_path / "started.py"
    path.write_text(script, encoding="utf-8")
    argv = [sys.executable, path, folder, "--number", "4", "--out", tmp_path / "out", "--model", model_file]
    process = subprocess.Popen([*map(str, argv), "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def children(process: int) -> list[int]:
    """Its worker processes."""
    done = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in done.stdout.splitlines() if "spawn_main" in line]


def wait_for(found: Any, seconds: float = 30) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := found():
            return value
        time.sleep(0.02)
    pytest.fail("nothing came")


@pytest.mark.slow
def test_dead_workers_are_replaced_and_no_row_is_lost(
    folder: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shard kills its worker once before it answers."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(workers, "MOST_DEATHS", 20)
    (tmp_path / "dying.py").write_text(
        "import os, pathlib\n"
        "from mnistsum_runtime.batch.stage import answer_shard\n"
        "def answer(folder, shard):\n"
        f"    mark = pathlib.Path({str(tmp_path)!r}, f'died-{{shard}}')\n"
        "    if not mark.exists():\n"
        "        mark.touch()\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return answer_shard(folder, shard)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import dying  # type: ignore[import-not-found]

    monkeypatch.setattr(workers, "answer_shard", dying.answer)
    assert answer(model_file, tmp_path / "out", folder, "--number", 4, workers=2).code == 1
    assert len(list(tmp_path.glob("died-*"))) == 6
    assert [row["error_kind"] for row in rows(tmp_path / "out")].count(None) == 39


def _die(folder: str, shard: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_always_die_end_the_batch(
    folder: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_DEATHS", 1)
    monkeypatch.setattr(workers, "answer_shard", _die)
    done = answer(model_file, tmp_path / "out", folder, "--number", 4)
    assert_one_line(done, 1, "worker processes died 2 times in a row")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc's ps")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_parent(started: subprocess.Popen[bytes], number: int) -> None:
    process = started
    found = wait_for(lambda: len(c := children(process.pid)) == 2 and c)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert b"Traceback" not in out + err
    if number == signal.SIGINT:
        assert (process.returncode, err.lstrip()) == (130, b"mnistsum-batch: interrupted\n")
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in found))


def test_two_batches_in_one_folder_are_one_too_many(folder: Path, model_file: Path, tmp_path: Path) -> None:
    from mnistsum_runtime.batch.run import sole_batch

    with sole_batch(tmp_path / "out"):
        done = answer(model_file, tmp_path / "out", folder, "--number", 4)
    assert_one_line(done, 2, "another batch writes to")


# Wrong calls, damaged files.


def test_a_number_is_needed_where_pictures_have_none(folder: Path, model_file: Path, tmp_path: Path) -> None:
    assert_one_line(answer(model_file, tmp_path / "out", folder), 2, "--number is needed")


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("nothing", None, 2, "no such file or folder"),
        ("a.tar", b"no tar", 1, "not a tar file, or damaged"),
        ("a.tar.gz", b"\x1f\x8b", 2, "decompress it first"),
        ("a.parquet", b"PAR1", 1, "not a Parquet file, or damaged"),
        ("empty.txt", b"\n", 2, "no pictures in it"),
    ],
)
def test_what_is_no_input_is_told_in_a_line(
    name: str, content: bytes | None, code: int, words: str, model_file: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert_one_line(answer(model_file, tmp_path / "out", tmp_path / name, "--number", 4), code, words)


def test_an_address_is_told_as_one(model_file: Path, tmp_path: Path) -> None:
    done = answer(model_file, tmp_path / "out", "s3://pictures/7", "--number", 4)
    assert_one_line(done, 2, "s3://pictures/7: an address (URL), and nothing is fetched from a network")


def test_a_parquet_without_pictures_names_its_columns(model_file: Path, tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"a": [1], "b": ["x"]}), tmp_path / "a.parquet")
    done = answer(model_file, tmp_path / "out", tmp_path / "a.parquet", "--number", 4)
    assert_one_line(done, 2, "expected a column `image`", "found a, b")
    parquet.write_table(pyarrow.table({"image": ["x"]}), tmp_path / "b.parquet")
    done = answer(model_file, tmp_path / "out", tmp_path / "b.parquet", "--number", 4)
    assert_one_line(done, 2, "its column `image` is string")


def test_a_tar_that_is_cut_off_is_told(model_file: Path, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", PICTURES)
    tar.write_bytes(tar.read_bytes()[:9000])
    done = answer(model_file, tmp_path / "out", tar, "--number", 4)
    assert_one_line(done, 1, "damaged")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b'{"format": 1}', b"\xff", b'{"format": 2, "mnistsum": "9"}']
)
def test_a_damaged_plan_is_told(content: bytes, folder: Path, model_file: Path, tmp_path: Path) -> None:
    plan = tmp_path / "out" / "_plan" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_bytes(content)
    assert_one_line(answer(model_file, tmp_path / "out", folder, "--number", 4), 1, str(plan))
    assert plan.read_bytes() == content


def test_workers_and_a_cluster_exclude_each_other(folder: Path, model_file: Path, tmp_path: Path) -> None:
    done = answer(model_file, tmp_path / "out", folder, "--number", 4, "--ray", "local")
    assert_one_line(done, 2, "leave it out with --ray")


def test_the_plan_says_what_is_answered(folder: Path, model_file: Path, tmp_path: Path) -> None:
    answer(model_file, tmp_path / "out", folder, "--number", 4)
    plan = read_plan(tmp_path / "out")
    assert isinstance(plan, Plan)
    assert (plan.number, plan.operation, plan.pictures) == (4, "sum", 40)
    assert [shard.pictures for shard in plan.shards] == [7, 7, 7, 7, 7, 5]
    assert (plan.inputs[0].kind, plan.inputs[0].path) == ("files", str(folder))
