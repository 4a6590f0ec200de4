"""Every planted fault is refused, in one line that names what is to blame; the sound twins pass."""

import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from faults.fault import Network, sound_graph
from faults.faults import BY_NAME, FAULTS, SOUND, names_submodule
from faults.in_module import between, rows
from faults.table import PASSED, REFUSED
from mnistsum_runtime.errors import CallError, WorkError

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@pytest.mark.parametrize("name", BY_NAME)
def test_a_planted_fault_is_refused(name: str, tmp_path: Path) -> None:
    fault = BY_NAME[name]
    with pytest.raises((CallError, WorkError)) as refused:
        fault.prove(tmp_path / "model.onnx")
    line = str(refused.value)
    assert len(line.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    if fault.blamed is not None:
        assert names_submodule(line, fault.blamed), line


@pytest.mark.parametrize("name", SOUND)
def test_the_same_graph_without_a_fault_passes(name: str, tmp_path: Path) -> None:
    proof = SOUND[name].prove(tmp_path / "model.onnx")
    assert proof.file.output.exists()
    assert proof.file.references.exists()


def test_the_frame_of_the_module_faults_passes_without_one() -> None:
    assert sound_graph(Network(lambda: between(act=nn.ReLU()), rows)).graph.node


def test_every_graph_with_a_fault_has_a_sound_twin() -> None:
    networks = [twin.network for twin in SOUND.values()]
    assert all(fault.network in networks for fault in FAULTS if fault.change is not None)


def test_every_graph_fault_changes_the_graph_or_what_is_asked() -> None:
    for fault in FAULTS:
        if fault.change is not None and fault.asked_opset is None:
            assert fault.model() != sound_graph(fault.network), fault.name


def test_names_are_different() -> None:
    assert len(BY_NAME) == len(FAULTS)


def measured(what: str) -> list[dict[str, Any]]:
    content: dict[str, list[dict[str, Any]]] = json.loads((ARTIFACTS / "faults.json").read_text(encoding="utf-8"))
    return content[what]


def test_the_shipped_table_has_every_fault_and_all_are_refused() -> None:
    faults = measured("faults")
    assert [row["name"] for row in faults] == list(BY_NAME)
    assert len(faults) >= 24
    for row in faults:
        assert row["results"]["prove"]["status"] == REFUSED, row["name"]
        assert row["blamed"] == BY_NAME[row["name"]].blamed
        assert row["named"] is not False, row["results"]["prove"]["line"]


def test_the_shipped_table_has_every_sound_twin_and_none_is_refused() -> None:
    assert {row["name"]: row["results"]["prove"]["status"] for row in measured("sound")} == dict.fromkeys(SOUND, PASSED)


def test_a_submodule_is_named_by_its_whole_path() -> None:
    assert names_submodule("block.mix (Linear) is in training mode", "block.mix")
    assert names_submodule("Name:'/block/mix/Add' failed", "block.mix")
    assert not names_submodule("the first is block.mix (Linear)", "mix")
    assert not names_submodule("Name:'/block/mix/Add' failed", "mix")
    assert not names_submodule("head2 (Linear)", "head")
