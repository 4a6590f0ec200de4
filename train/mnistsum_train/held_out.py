"""What networks answer for pictures that they have not learnt from: the ground of calibration, limit and report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.augmentation import augment
from mnistsum_train.checkpoint import read_safetensors, write_safetensors
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers, answer_all_pairs
from mnistsum_train.handwriting import add_strokes
from mnistsum_train.negatives import KINDS, draw_negatives
from mnistsum_train.network import Network
from mnistsum_train.stages import Watch, unwatched

NEGATIVES_SEED = 1
"""Seed of the pictures of no digit: other ones than those of the training, which have seed 0."""
VARIED_SEED = 0
BATCH = 500
"""Pictures that are varied at a time."""


@dataclass(frozen=True)
class HeldOut:
    """Answers for digits x all ten numbers, and for drawn pictures of no digit x all ten numbers."""

    labels: torch.Tensor
    """int64 [pictures]."""
    plain: Answers
    """For the digits as they are."""
    varied: Answers
    """For the same digits, varied as other people write (`vary`)."""
    negatives: dict[str, Answers]
    """For pictures of no digit, by kind; a kind of which nothing was left is missing."""

    @classmethod
    def of(cls, network: Network, digits: Part, count: int, watch: Watch = unwatched) -> "HeldOut":
        """Ask a network for `digits`, which it has not learnt from, and for `count` negatives of each kind."""
        groups: dict[str, Callable[[], torch.Tensor]] = {
            "plain": lambda: digits.images,
            "varied": lambda: vary(digits),
            **{kind: partial(draw_negatives, kind, digits, count, NEGATIVES_SEED) for kind in KINDS},
        }
        answers = {}
        for name in watch(list(groups)):
            pictures = groups[name]()
            if len(pictures):
                answers[name] = answer_all_pairs(network, pictures)
        return cls(digits.labels.cpu(), answers.pop("plain"), answers.pop("varied"), answers)

    @classmethod
    def join(cls, parts: Sequence["HeldOut"]) -> "HeldOut":
        """Several networks' answers for pictures of their own, as one."""
        kinds = [kind for kind in KINDS if any(kind in part.negatives for part in parts)]
        return cls(
            torch.cat([part.labels for part in parts]),
            join_answers([part.plain for part in parts]),
            join_answers([part.varied for part in parts]),
            {kind: join_answers([p.negatives[kind] for p in parts if kind in p.negatives]) for kind in kinds},
        )

    def save(self, path: Path, identity: dict[str, Any]) -> None:
        """Write the answers to a safetensors file, whole or not at all, with what they belong to."""
        groups = {"plain": self.plain, "varied": self.varied}
        groups |= {f"negatives.{kind}": answers for kind, answers in self.negatives.items()}
        tensors = {"labels": self.labels}
        for name, answers in groups.items():
            tensors |= {f"{name}.digit": answers.digit, f"{name}.value": answers.value}
        write_safetensors(path, tensors, {"identity": identity})

    @classmethod
    def load(cls, path: Path) -> tuple["HeldOut", dict[str, Any]]:
        """Read what `save` wrote: the answers, and what they belong to.

        Raises:
            ModelError: The file is missing or damaged.
        """
        tensors, description = read_safetensors(path)
        try:
            identity = description["identity"]
            classes = len(OPERATIONS[identity["recipe"]["operation"]].classes)
            labels = tensors["labels"]
            if labels.ndim != 1 or labels.dtype != torch.int64 or not ((labels >= 0) & (labels < NUMBERS)).all():
                raise ValueError("its labels are no digits")
            kinds = [kind for kind in KINDS if f"negatives.{kind}.digit" in tensors]
            negatives = {kind: _take_answers(tensors, f"negatives.{kind}", classes) for kind in kinds}
            plain, varied = (_take_answers(tensors, name, classes) for name in ("plain", "varied"))
            if not len(labels) == len(plain.digit) == len(varied.digit) > 0:
                raise ValueError("it has no labels, or not as many answers")
        except (LookupError, TypeError, ValueError) as error:
            raise ModelError(
                f"{path} is damaged ({' '.join(str(error).split())[:160]}): delete it, and run "
                "python -m mnistsum_train.folds again"
            ) from error
        return cls(labels, plain, varied, negatives), identity


def _take_answers(tensors: dict[str, torch.Tensor], name: str, classes: int) -> Answers:
    """The answers of that name in a file; `ValueError` if they are none, `LookupError` if there are none."""
    digit, value = tensors[f"{name}.digit"], tensors[f"{name}.value"]
    rows = len(digit) if digit.ndim else 0
    for logits, last in ((digit, NUMBERS), (value, classes)):
        if logits.shape != (rows, NUMBERS, last) or logits.dtype != torch.float32 or not logits.isfinite().all():
            raise ValueError(f"{name} is {logits.dtype} {list(logits.shape)}, or not all of it is finite")
    return Answers(digit, value)


def join_answers(parts: Sequence[Answers]) -> Answers:
    """Answers for several sets of pictures, one after the other."""
    return Answers(torch.cat([part.digit for part in parts]), torch.cat([part.value for part in parts]))


def vary(digits: Part) -> torch.Tensor:
    """The digits as other people might write them, the same ones every time: uint8 [pictures, 1, 28, 28]."""
    generator = torch.Generator().manual_seed(VARIED_SEED)
    varied = []
    for images, labels in zip(torch.split(digits.images, BATCH), torch.split(digits.labels, BATCH), strict=True):
        pictures = augment(add_strokes(images.cpu().float() / 255, labels.cpu(), generator), generator)
        varied.append((pictures * 255).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(varied)
