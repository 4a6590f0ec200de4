"""Small architectures whose inputs, outputs, dtypes or control flow are out of the usual."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnistsum_export.proof.examples import Arrays
from zoo.specimen import Architecture, Forward, Specimen, maps

ROWS = 24


class TwoHeads(nn.Module):
    """A class and a place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
        self.kind, self.place = nn.Linear(16, 4), nn.Linear(16, 2)

    def forward(self, features: Tensor) -> Forward:
        hidden = self.body(features)
        return self.kind(hidden), self.place(hidden)


def two_outputs(random: np.random.Generator) -> Specimen:
    return Specimen(TwoHeads(), {"features": maps(random, ROWS, 10)}, ("kind", "place"), ("kind",), head="kind")


class ThreeAnswers(nn.Module):
    """Logits, their class as an integer, and whether it is sure as a boolean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(10, 5)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits: Tensor = self.layer(features)
        return logits, logits.argmax(1), logits.softmax(1).amax(1) > 0.5


def three_outputs(random: np.random.Generator) -> Specimen:
    examples = {"features": maps(random, ROWS, 10)}
    return Specimen(ThreeAnswers(), examples, ("logits", "best", "sure"), ("logits",), head="layer")


class NamedAnswers(nn.Module):
    """A dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"depth": nn.Conv2d(3, 1, 3), "edges": nn.Conv2d(3, 2, 3)})

    def forward(self, image: Tensor) -> Forward:
        return {name: layer(image) for name, layer in self.layers.items()}


def dict_output(random: np.random.Generator) -> Specimen:
    return Specimen(NamedAnswers(), {"image": maps(random, ROWS, 3, 8, 8)}, ("depth", "edges"))


class Nested(nn.Module):
    """A tuple in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 4) for _ in range(3))

    def forward(self, features: Tensor) -> Forward:
        one, other, third = (layer(features) for layer in self.layers)
        return [one, (torch.sin(other), third * one)]


def nested_outputs(random: np.random.Generator) -> Specimen:
    return Specimen(Nested(), {"features": maps(random, ROWS, 6)}, ("one", "sine", "product"))


class Siamese(nn.Module):
    """Two pictures through the same layers, and how alike they are."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 8)
        )

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        left, right = self.eye(one), self.eye(other)
        return F.cosine_similarity(left, right), torch.linalg.vector_norm(left - right, dim=1)


def siamese(random: np.random.Generator) -> Specimen:
    examples = {"one": maps(random, ROWS, 1, 8, 8), "other": maps(random, ROWS, 1, 8, 8)}
    return Specimen(Siamese(), examples, ("alike", "distance"), head="eye.5")


class Mixture(nn.Module):
    """The two best of four experts, by gather; their weights are put back by scatter."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(nn.Linear(8, 5) for _ in range(4))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        best, chosen = self.gate(features).topk(2, dim=1)
        shares = best.softmax(1)
        answers = torch.stack([expert(features) for expert in self.experts], 1)
        taken = answers.gather(1, chosen.unsqueeze(2).expand(-1, -1, 5))
        load = torch.zeros(features.shape[0], 4).scatter(1, chosen, shares)
        return (taken * shares.unsqueeze(2)).sum(1), load


def mixture_of_experts(random: np.random.Generator) -> Specimen:
    return Specimen(Mixture(), {"features": 2 * maps(random, ROWS, 8)}, ("out", "load"))


class Einsum(nn.Module):
    """A product of three, two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.core = nn.Parameter(torch.randn(6, 5, 4) / 5)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.einsum("bi,ijk,bj->bk", one, self.core, other)


def einsum(random: np.random.Generator) -> Specimen:
    return Specimen(Einsum(), {"one": maps(random, ROWS, 6), "other": maps(random, ROWS, 5)}, ("out",))


def float64_perceptron(random: np.random.Generator) -> Specimen:
    module = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.LayerNorm(12), nn.Linear(12, 3)).double()
    return Specimen(module, {"features": maps(random, ROWS, 6).astype(np.float64)}, ("out",))


class Clock(nn.Module):
    """Whole numbers only: seconds of the day to hours, minutes and seconds."""

    def forward(self, seconds: Tensor) -> Tensor:
        hours = torch.div(seconds, 3600, rounding_mode="floor") % 24
        return torch.stack([hours, torch.div(seconds, 60, rounding_mode="floor") % 60, seconds % 60], 1)


def whole_numbers(random: np.random.Generator) -> Specimen:
    return Specimen(Clock(), {"seconds": random.integers(-100_000, 100_000, ROWS)}, ("clock",))


class Bits(nn.Module):
    """Booleans only: a full adder."""

    def forward(self, one: Tensor, other: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
        return one ^ other ^ carry, (one & other) | (carry & (one | other))


def booleans(random: np.random.Generator) -> Specimen:
    examples = {name: random.random((ROWS, 5)) < 0.5 for name in ("one", "other", "carry")}
    return Specimen(Bits(), examples, ("sum", "carried"))


class CameraBytes(nn.Module):
    """Bytes of a camera, [rows, height, width, 3], as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]))
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, frame: Tensor) -> Forward:
        image = (frame.to(torch.float32) / 255 - self.mean) / 0.25
        return self.layer(image.permute(0, 3, 1, 2))


def camera_bytes(random: np.random.Generator) -> Specimen:
    return Specimen(CameraBytes(), {"frame": random.integers(0, 256, (ROWS, 8, 8, 3), np.uint8)}, ("maps",))


class ScriptedSteps(nn.Module):
    """A scripted loop over as many steps as the input has."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(9, 5)

    def forward(self, steps: Tensor) -> Tensor:
        state = steps[:, 0, :1].expand(-1, 5)
        for index in range(steps.shape[1]):
            state = torch.tanh(self.cell(torch.cat([steps[:, index], state], 1)))
        return state


def scripted_loop(random: np.random.Generator) -> Specimen:
    module: nn.Module = torch.jit.script(ScriptedSteps())
    return Specimen(module, {"steps": maps(random, ROWS, 6, 4)}, ("state",))


class Ranked(nn.Module):
    """The three best, their places, and a running sum of all in order."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 9)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores: Tensor = self.layer(features)
        best, places = scores.topk(3, dim=1)
        return best, places, scores.flip(1).cumsum(1)


def ranking(random: np.random.Generator) -> Specimen:
    return Specimen(Ranked(), {"features": maps(random, ROWS, 6)}, ("best", "places", "running"))


class Variational(nn.Module):
    """Mean, logarithm of the variance, and what is restored from the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 12), nn.ReLU())
        self.mean, self.log_variance, self.restore = nn.Linear(12, 3), nn.Linear(12, 3), nn.Linear(3, 16)

    def forward(self, features: Tensor) -> Forward:
        hidden = self.body(features)
        mean = self.mean(hidden)
        return mean, self.log_variance(hidden), torch.sigmoid(self.restore(mean))


def variational_autoencoder(random: np.random.Generator) -> Specimen:
    examples = {"features": 2 * maps(random, ROWS, 16)}
    return Specimen(Variational(), examples, ("mean", "log_variance", "restored"), head="mean")


class Recommender(nn.Module):
    """A user, a film and their features: integers of two widths beside floats."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.films = nn.Embedding(30, 6), nn.Embedding(40, 6)
        self.bilinear = nn.Bilinear(6, 6, 4)
        self.head = nn.Linear(7, 1)

    def forward(self, user: Tensor, film: Tensor, features: Tensor) -> Forward:
        pair = self.bilinear(self.users(user), self.films(film))
        return self.head(torch.cat([pair, features], 1)).squeeze(1)


def recommender(random: np.random.Generator) -> Specimen:
    examples: Arrays = {
        "user": random.integers(0, 30, ROWS),
        "film": random.integers(0, 40, ROWS).astype(np.int32),
        "features": maps(random, ROWS, 3),
    }
    return Specimen(Recommender(), examples, ("score",), head="head")


class GraphConvolution(nn.Module):
    """Nodes and which of them are joined: messages are summed along the edges, by the adjacency matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, nodes: Tensor, joined: Tensor) -> Forward:
        weights = joined.to(nodes.dtype) + torch.eye(7)
        weights = weights / weights.sum(2, keepdim=True).sqrt() / weights.sum(1, keepdim=True).sqrt()
        return weights @ self.second(F.relu(weights @ self.first(nodes)))


def graph_convolution(random: np.random.Generator) -> Specimen:
    half = np.triu(random.random((ROWS, 7, 7)) < 0.4, 1)
    examples = {"nodes": maps(random, ROWS, 7, 5), "joined": half | half.transpose(0, 2, 1)}
    return Specimen(GraphConvolution(), examples, ("out",))


ARCHITECTURES = tuple(
    Architecture(build, "structures", small=True)
    for build in (
        two_outputs,
        three_outputs,
        dict_output,
        nested_outputs,
        siamese,
        mixture_of_experts,
        einsum,
        float64_perceptron,
        whole_numbers,
        booleans,
        camera_bytes,
        scripted_loop,
        ranking,
        variational_autoencoder,
        recommender,
        graph_convolution,
    )
)
