"""Sound modules of many kinds are proven, and the record of all of them is complete and alive."""

import json
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pi.wheelhouse import ROOT
from zoo.architectures import ARCHITECTURES
from zoo.measure import OPSETS, PROOFS, count_proven, find_problems, small_ones
from zoo.proving import PROVEN, REFUSED, prove_specimen
from zoo.specimen import ENOUGH, Architecture, Specimen, maps, spreads

PROVEN_HERE = (
    "batch_normalisation",
    "convolution_3d",
    "u_net_of_any_size",
    "residual",
    "transformer_encoder",
    "bidirectional_lstm",
    "masked_attention",
    "causal_language_model",
    "three_outputs",
    "dict_output",
    "mixture_of_experts",
    "float64_perceptron",
    "whole_numbers",
    "scripted_loop",
    "recommender",
)
"""One of each kind. `make zoo` proves all."""
BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "artifacts" / "zoo.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.filterwarnings("ignore")  # torch's exporters warn of themselves
@pytest.mark.parametrize("name", PROVEN_HERE)
def test_sound_module_is_proven(name: str) -> None:
    specimen = BY_NAME[name].make(seed=11)
    outcome = prove_specimen(specimen, 17)
    assert outcome.status == PROVEN, outcome.reason
    assert outcome.figures is not None
    assert outcome.figures.blamed is None
    assert outcome.figures.relative <= outcome.figures.tolerance


def dead_perceptron(random: np.random.Generator) -> Specimen:
    """Its second half is left as a constructor may leave it: at zero."""
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    return Specimen(module, {"features": maps(random, 8, 4)}, ("out",))


def test_what_is_not_proven_is_told() -> None:
    specimen = dead_perceptron(np.random.default_rng(0))
    nn.init.zeros_(specimen.module.get_submodule("1").weight)  # type: ignore[arg-type]
    outcome = prove_specimen(Specimen(specimen.module.eval(), specimen.examples, ("out",)), 17)
    assert outcome.status == REFUSED
    assert "output out" in outcome.reason
    assert outcome.to_dict().keys() == {"opset", "status", "reason", "seconds"}


def test_weights_are_alive_and_repeat() -> None:
    architecture = Architecture(dead_perceptron, "here", small=True)
    one, same, other = (architecture.make(seed) for seed in (3, 3, 4))
    weights = [specimen.module.get_submodule("1").weight for specimen in (one, same, other)]
    assert torch.equal(weights[0], weights[1])  # type: ignore[arg-type]
    assert not torch.equal(weights[0], weights[2])  # type: ignore[arg-type]
    norm = BY_NAME["batch_normalisation"].make(0).module.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_mean.abs().min() > 0
    assert not norm.training


def test_every_architecture_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(ARCHITECTURES)


def test_every_architecture_is_in_the_record(record: dict[str, Any]) -> None:
    recorded = [(entry["name"], entry["least_opset"]) for entry in record["architectures"]]
    assert recorded == [(architecture.name, architecture.least_opset) for architecture in ARCHITECTURES]
    for entry in record["architectures"]:
        assert [proof["opset"] for proof in entry["proofs"]] == list(OPSETS)
        for proof in entry["proofs"]:
            assert proof["status"] == PROVEN or proof["reason"]


def test_the_record_is_as_promised(record: dict[str, Any]) -> None:
    assert find_problems(record["architectures"]) == []
    assert record["counts"] == count_proven(record["architectures"])
    assert record["counts"]["proven"] >= 40
    assert record["counts"]["torchvision_proven"] >= 12


def test_every_output_of_the_record_varies(record: dict[str, Any]) -> None:
    varying = [entry["least_spread"] for entry in record["architectures"] if entry["least_spread"] is not None]
    assert len(varying) > 0.9 * len(record["architectures"])
    assert min(varying) >= ENOUGH


def test_no_false_alarm_is_in_the_record(record: dict[str, Any]) -> None:
    alarms = record["false_alarms"]
    assert alarms["refused"] == []
    assert alarms["proofs"] == PROOFS == 200
    assert alarms["architectures"] == len({architecture for architecture, _ in islice(small_ones(), PROOFS)}) >= 20
    assert record["seed"] not in alarms["seeds"]


def entry(status: str, spread: float = 1.0, opset: int = 17) -> dict[str, Any]:
    proof = {"opset": opset, "status": status, "reason": "because"}
    return {"name": "net", "least_opset": 17, "least_spread": spread, "proofs": [proof]}


@pytest.mark.parametrize("wrong", [entry(REFUSED), entry("crashed"), entry(PROVEN, 0.01), entry(PROVEN, opset=16)])
def test_another_outcome_is_a_problem(wrong: dict[str, Any]) -> None:
    assert len(find_problems([wrong])) == 1


def test_an_outcome_as_expected_is_none() -> None:
    assert find_problems([entry(PROVEN), entry(REFUSED, opset=16)]) == []


def test_false_alarms_are_looked_for_with_other_seeds() -> None:
    ones = small_ones()
    first = [next(ones) for _ in range(PROOFS)]
    assert len(set(first)) == PROOFS
    assert all(architecture.small and seed > 0 for architecture, seed in first)


def test_integers_that_do_not_vary_are_found_out() -> None:
    class Same(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(features), dtype=torch.int64)

    specimen = Specimen(Same().eval(), {"features": maps(np.random.default_rng(0), 4, 3)}, ("zeros",))
    with pytest.raises(ValueError, match="zeros"):
        spreads(specimen)
