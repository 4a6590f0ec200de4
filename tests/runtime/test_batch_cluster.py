"""`mnistsum-batch --ray`: the same answers from a cluster as from this machine's processes."""

from pathlib import Path

import pytest
from PIL import Image

from calling import assert_one_line, call
from mnistsum_runtime.batch import sources
from mnistsum_runtime.commands import batch
from tiny_model import drawn_digit

pytest.importorskip("ray")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fifteen pictures and a broken one, in four shards."""
    monkeypatch.setattr(sources, "_FEWEST", 4)
    place = tmp_path / "pictures"
    place.mkdir()
    for index in range(15):
        Image.fromarray(drawn_digit(index % 10)).save(place / f"{index:02d}.png")
    (place / "99.png").write_bytes(b"no picture")
    return place


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes(folder: Path, model_file: Path, tmp_path: Path) -> None:
    arguments = (folder, "--number", 4, "--model", model_file)
    here = call(batch.command, *arguments, "--out", tmp_path / "here")
    there = call(batch.command, *arguments, "--out", tmp_path / "there", "--ray", "local")
    assert (there.code, there.err) == (here.code, here.err) == (1, "")
    assert there.out.splitlines()[:2] == here.out.splitlines()[:2]
    parts = sorted(path.name for path in (tmp_path / "here").glob("part-*"))
    assert len(parts) == 4
    for part in parts:
        assert (tmp_path / "there" / part).read_bytes() == (tmp_path / "here" / part).read_bytes()
    # An error of a shard comes back as what it is: another model stands at the plan's place.
    (tmp_path / "there" / parts[0]).unlink()
    plan = tmp_path / "there" / "_plan" / "plan.json"
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(Path(model_file).read_bytes())
    plan.write_text(plan.read_text(encoding="utf-8").replace(str(model_file), str(copy.with_name("gone.onnx"))))
    again = call(batch.command, *arguments, "--out", tmp_path / "there", "--ray", "local")
    assert_one_line(again, 3, "gone.onnx")


@pytest.mark.slow
def test_no_cluster_is_told_in_a_line(folder: Path, model_file: Path, tmp_path: Path) -> None:
    done = call(batch.command, folder, "--number", 4, "--model", model_file, "--out", tmp_path / "out", "--ray", "auto")
    assert_one_line(done, 2, "--ray auto: no cluster answers there")
