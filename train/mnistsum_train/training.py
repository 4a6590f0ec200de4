"""The training, read from top to bottom in the order in which it runs."""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.errors import CallError, ModelError, WorkError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.augmentation import augment, strength_at
from mnistsum_train.checkpoint import read_safetensors, require_like, write_safetensors
from mnistsum_train.data import Part, draw_numbers, epoch_generator
from mnistsum_train.device import has_fast_bfloat16
from mnistsum_train.evaluation import Evaluation, answer_all_pairs, evaluate
from mnistsum_train.handwriting import add_strokes
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.recipe import Recipe, tell_differences
from mnistsum_train.team import ALONE, Team

SOFTNESS = 2.0
"""Temperature of the distillation: at 1 a sure teacher says little more than the labels do."""


@dataclass(frozen=True)
class EpochMetrics:
    """One line of `metrics.jsonl`.

    Training figures are those seen under augmentation while the weights moved; those of validation are None where all
    pictures are learnt from.
    """

    epoch: int
    """From 1."""
    digit_loss: float
    value_loss: float
    digit_accuracy: float
    value_accuracy: float
    validation_digit_loss: float | None
    validation_value_loss: float | None
    validation_digit: float | None
    validation_value: float | None
    validation_both: float | None
    validation_agree: float | None
    seconds: float
    """Wall-clock time of the epoch, its validation included."""


@dataclass(frozen=True)
class StepMetrics:
    """What one step tells a progress bar."""

    digit_loss: float
    value_loss: float
    digit_accuracy: float
    value_accuracy: float


Answer = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Pictures and numbers to logits; see `BatchAnswers`."""
OnStep = Callable[[int, int, StepMetrics], None]
OnEpoch = Callable[[list[EpochMetrics]], None]


@dataclass
class Trainer:
    """Everything that changes while training, and so everything that a resumed run needs."""

    network: TwoInputNetwork
    """What the optimiser moves."""
    average: TwoInputNetwork
    """Moving average of the network's weights and batch statistics: what is validated and saved."""
    optimizer: torch.optim.AdamW
    history: list[EpochMetrics]
    """One entry for each finished epoch."""
    teacher: TwoInputNetwork | None = None
    """A trained network whose answers are learnt instead of the labels; None where there is none."""
    team: Team = ALONE
    """The processes that train together."""

    def __post_init__(self) -> None:
        """What answers with `network`, and of several processes makes its gradients the mean of theirs."""
        self.answer: Answer = BatchAnswers(self.network)
        if self.team.size > 1:
            self.answer = DistributedDataParallel(BatchAnswers(self.network), forward_sync_buffers=False)


def train(
    recipe: Recipe,
    training: Part,
    validation: Part | None,
    device: torch.device,
    state_file: Path,
    *,
    resume: bool,
    on_step: OnStep,
    on_epoch: OnEpoch,
    teacher: TwoInputNetwork | None = None,
    team: Team = ALONE,
) -> tuple[TwoInputNetwork, list[EpochMetrics]]:
    """Train from the first epoch, or from the one after the last that `state_file` has.

    Args:
        recipe: Decides the weights, together with the pictures, the machine and torch's version.
        training: Pictures to learn from.
        validation: Pictures to measure on after each epoch, if there are any.
        device: Where to compute.
        state_file: Written after every epoch, whole or not at all.
        resume: Go on from `state_file` if it is there.
        on_step: Called after every step with its number from 1, the number of all steps, and its metrics.
        on_epoch: Called after every epoch with the metrics of all epochs so far, also of those before a resume.
        teacher: What `recipe.teacher` made, if the recipe has one.
        team: The processes that train together: all see `state_file`, one of them writes it, measures and tells.

    Returns:
        The averaged network, on the CPU, and the metrics of all epochs, also of those before a resume.

    Raises:
        CallError: `state_file` is of another recipe or other pictures, or not all processes see it.
    """
    torch.use_deterministic_algorithms(True)
    trainer = new_trainer(recipe, device, team)
    if teacher is not None:
        trainer.teacher = teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    identity = {"recipe": recipe.to_dict(), "pictures": len(training), "device": device.type}
    if resume and state_file.exists():
        load_state(trainer, state_file, identity)
    team.require_equal(len(trainer.history), f"not all processes find {state_file}: --out must be a shared folder")
    training, validation = training.to(device), validation and validation.to(device)
    for epoch in range(len(trainer.history) + 1, recipe.epochs + 1):
        start = time.perf_counter()
        seen = run_epoch(trainer, recipe, training, epoch, on_step)
        team.average_buffers((trainer.network, trainer.average))
        metrics = validate(trainer, validation if team.writes else None, epoch, seen, time.perf_counter() - start)
        trainer.history.append(metrics)
        if team.writes:
            save_state(trainer, state_file, identity)
            on_epoch(trainer.history)
    return trainer.average.cpu().eval(), trainer.history


class BatchAnswers(nn.Module):
    """A network's logits for every picture with each of its numbers, as a module whose gradients can be shared."""

    def __init__(self, network: TwoInputNetwork) -> None:
        """Answer with `network`."""
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Float [batch, 1, 28, 28] and int64 [batch, per_image] to two floats [batch * per_image, classes]."""
        features = self.network.features(pictures).repeat_interleave(numbers.shape[1], dim=0)
        return self.network.heads(features, F.one_hot(numbers.flatten(), NUMBERS).to(features.dtype))


def new_trainer(recipe: Recipe, device: torch.device, team: Team = ALONE) -> Trainer:
    """Seeded first weights, their average, and the optimiser."""
    torch.manual_seed(recipe.seed)
    operation = OPERATIONS[recipe.operation]
    network = TwoInputNetwork(operation, recipe.architecture)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    return Trainer(network, average, optimizer, [], team=team)


def run_epoch(trainer: Trainer, recipe: Recipe, training: Part, epoch: int, on_step: OnStep) -> StepMetrics:
    """One pass over the training part in an order of its own; returns the means over its steps."""
    generator = epoch_generator(recipe.seed, epoch)
    # Dropout draws from torch's own generator.
    torch.manual_seed(generator.initial_seed() + trainer.team.rank * 7_919)
    order = torch.randperm(len(training), generator=generator).to(training.labels.device)
    batches = split(order, recipe.batch_size, trainer.team.size)
    steps = len(batches) * recipe.epochs
    trainer.network.train()
    seen: list[StepMetrics] = []
    for index, batch in enumerate(batches):
        step = (epoch - 1) * len(batches) + index
        for group in trainer.optimizer.param_groups:
            group["lr"] = one_cycle(step / steps, recipe.learning_rate, recipe.warm_up)
        labels = training.labels[batch]
        pictures = training.images[batch].float() / 255
        if recipe.augmentation:
            pictures = add_strokes(pictures, labels, generator)
            pictures = augment(pictures, generator, recipe.augmentation * strength_at(step / steps))
        metrics = train_step(trainer, recipe, pictures, labels, generator)
        if not isfinite(metrics.digit_loss + metrics.value_loss):
            raise WorkError(f"the training diverged in epoch {epoch} (the loss is no number): choose a lower --lr")
        update_average(trainer, min(recipe.averaging, (1 + step) / (10 + step)))
        seen.append(metrics)
        if trainer.team.writes:
            on_step(step + 1, steps, metrics)
    return mean_metrics(seen, trainer.team)


def split(order: torch.Tensor, batch_size: int, processes: int) -> list[torch.Tensor]:
    """An epoch's batches. Batch normalisation cannot learn from a single picture, so no process gets one alone.

    Raises:
        CallError: A batch has fewer than two pictures for each process.
    """
    batches = list(torch.split(order, batch_size))
    if min(batch_size, len(order)) < 2 * processes:
        raise CallError(f"batches of {batch_size}: expected at least two pictures for each of {processes} processes")
    if len(batches[-1]) < 2 * processes:
        last = batches.pop()
        if processes > 1:
            batches[-1] = torch.cat([batches[-1], last])
    return batches


def mean_metrics(seen: list[StepMetrics], team: Team = ALONE) -> StepMetrics:
    """The mean of each figure over some steps, and over all processes."""
    figures = [sum(values) / len(seen) for values in zip(*map(astuple, seen), strict=True)]
    return StepMetrics(*team.mean(figures))


def one_cycle(progress: float, peak: float, warm_up: float) -> float:
    """Learning rate of the one-cycle policy: a cosine up from a 25th of the peak, then a cosine down to zero.

    Smith and Topin, "Super-Convergence", 2018, with the cosines that fastai introduced.

    Args:
        progress: Share of all steps done, 0..1.
        peak: The highest rate.
        warm_up: The share at which it is reached.
    """
    if progress < warm_up:
        low = peak / 25
        return low + (peak - low) * (1 - cos(pi * progress / warm_up)) / 2
    return peak * (1 + cos(pi * (progress - warm_up) / (1 - warm_up))) / 2


def train_step(
    trainer: Trainer, recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
) -> StepMetrics:
    """Draw the numbers, take this process's share, forward, loss = digit loss + value loss, backward, step.

    Args:
        trainer: Its network and optimiser move.
        recipe: For `numbers_per_image` and `label_smoothing`.
        images: float [batch, 1, 28, 28], 0..1, augmented.
        labels: int64 [batch].
        generator: Source of the numbers.
    """
    device = labels.device
    numbers = draw_numbers(len(labels), recipe.numbers_per_image, generator).to(device)
    mine, weight = trainer.team.share(len(labels)), trainer.team.weight(len(labels))
    images, labels, numbers = images[mine], labels[mine], numbers[mine]
    table = torch.tensor(trainer.network.operation.class_table(), device=device)
    digit_truth = labels.repeat_interleave(recipe.numbers_per_image)
    value_truth = table[digit_truth, numbers.flatten()]
    pictures = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
        digit, value = trainer.answer(pictures, numbers)
        taught = None
        if trainer.teacher is not None:
            with torch.no_grad():
                taught = BatchAnswers(trainer.teacher)(pictures, numbers)
    if taught is None:
        digit_loss = F.cross_entropy(digit.float(), digit_truth, label_smoothing=recipe.label_smoothing)
        value_loss = F.cross_entropy(value.float(), value_truth, label_smoothing=recipe.label_smoothing)
    else:
        digit_loss, value_loss = distillation_loss(digit, taught[0]), distillation_loss(value, taught[1])
    trainer.optimizer.zero_grad(set_to_none=True)
    ((digit_loss + value_loss) * weight).backward()  # type: ignore[no-untyped-call]
    trainer.optimizer.step()
    return StepMetrics(
        digit_loss.item(),
        value_loss.item(),
        (digit.argmax(1) == digit_truth).float().mean().item(),
        (value.argmax(1) == value_truth).float().mean().item(),
    )


def distillation_loss(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to the teacher's probabilities, both softened: Hinton et al., 2015, section 2.

    The square of the temperature keeps the gradient as large as that of the labels'.

    Args:
        logits: float [batch, classes], the network's.
        taught: The same shape, the teacher's; nothing is learnt by it.
    """
    target = (taught.detach().float() / SOFTNESS).softmax(1)
    return SOFTNESS**2 * F.cross_entropy(logits.float() / SOFTNESS, target)


@torch.no_grad()
def update_average(trainer: Trainer, decay: float) -> None:
    """Move the averaged weights and batch statistics towards the current ones."""
    averaged, current = trainer.average.state_dict().values(), trainer.network.state_dict().values()
    floats = [(a, c) for a, c in zip(averaged, current, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [c for _, c in floats], 1 - decay)


def validate(
    trainer: Trainer, validation: Part | None, epoch: int, seen: StepMetrics, training_seconds: float
) -> EpochMetrics:
    """Measure the averaged network on the validation part x all ten numbers, if there is one."""
    start = time.perf_counter()
    measured = measure(trainer.average, validation) if validation is not None else {}
    return EpochMetrics(
        epoch=epoch,
        **asdict(seen),
        validation_digit_loss=measured.get("digit_loss"),
        validation_value_loss=measured.get("value_loss"),
        validation_digit=measured.get("digit"),
        validation_value=measured.get("value"),
        validation_both=measured.get("both"),
        validation_agree=measured.get("agree"),
        seconds=training_seconds + time.perf_counter() - start,
    )


def measure(network: TwoInputNetwork, part: Part) -> dict[str, float]:
    """Both losses, and the figures of an evaluation, on pictures x all ten numbers."""
    operation = network.operation
    answers = answer_all_pairs(network, part.images)
    result: Evaluation = evaluate(answers, part.labels, operation)
    labels = part.labels.cpu()
    value_truth = torch.tensor(operation.class_table())[labels]
    return {
        "digit_loss": F.cross_entropy(answers.digit.flatten(0, 1), labels.repeat_interleave(NUMBERS)).item(),
        "value_loss": F.cross_entropy(answers.value.flatten(0, 1), value_truth.flatten()).item(),
        "digit": result.digit,
        "value": result.value,
        "both": result.both,
        "agree": result.agree,
    }


def save_state(trainer: Trainer, path: Path, identity: dict[str, Any]) -> None:
    """Write everything that a resumed run needs, whole or not at all."""
    tensors = {f"network.{name}": tensor for name, tensor in trainer.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in trainer.average.state_dict().items()}
    for index, moments in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    history = [asdict(metrics) for metrics in trainer.history]
    write_safetensors(path, tensors, {"identity": identity, "history": history})


def load_state(trainer: Trainer, path: Path, identity: dict[str, Any]) -> None:
    """Put a trainer where `save_state` left it.

    Raises:
        CallError: The state is of another recipe or other pictures.
        ModelError: The file is damaged.
    """
    tensors, description = read_safetensors(path)
    if description.get("identity") != identity:
        raise CallError(
            f"{path} was left by other options ({tell_differences(description.get('identity'), identity)}): "
            "use the same options with --resume, begin again with --overwrite, or name another --out"
        )
    try:
        _put_back(trainer, tensors, description)
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ModelError(
            f"{path} is damaged ({reason}): begin again with --overwrite, or name another --out"
        ) from error


def _put_back(trainer: Trainer, tensors: dict[str, torch.Tensor], description: dict[str, Any]) -> None:
    """Give a trainer the weights, moments and history of a state.

    Raises:
        ValueError: Something is missing, or not of this network. Other errors pass as they are.
    """
    groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    for name, network in (("network", trainer.network), ("average", trainer.average)):
        require_like(groups[name], network.state_dict())
        network.load_state_dict(groups[name])
    weights = trainer.optimizer.param_groups[0]["params"]
    expected: dict[str, torch.Tensor] = {}
    for number, weight in enumerate(weights):
        if weight.requires_grad:
            expected[f"{number}.step"] = torch.zeros(())
            expected |= {f"{number}.exp_avg": weight, f"{number}.exp_avg_sq": weight}
    require_like(groups["optimizer"], expected)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        index, _, moment = name.partition(".")
        # The fused step goes through memory, so that moments must lie in it as the weights do (channels last).
        like = weights[int(index)] if tensor.ndim else tensor
        moments.setdefault(int(index), {})[moment] = torch.empty_like(like).copy_(tensor)
    state = trainer.optimizer.state_dict()
    trainer.optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
    trainer.history[:] = _read_history(description)


def _read_history(description: dict[str, Any]) -> list[EpochMetrics]:
    """The finished epochs of a state.

    Raises:
        ValueError: There is none, or more than the recipe has, or a figure is no number. Other errors pass as they are.
    """
    history = [EpochMetrics(**line) for line in description["history"]]
    if not history or [line.epoch for line in history] != list(range(1, len(history) + 1)):
        raise ValueError("its history is not of one epoch after the other")
    if len(history) > description["identity"]["recipe"]["epochs"]:
        raise ValueError("its history has more epochs than its recipe")
    figures = [(name, value) for line in history for name, value in asdict(line).items()]
    for name, value in figures:
        if type(value) not in (int, float) and not (value is None and name.startswith("validation_")):
            raise ValueError(f"{name} in its history is {value!r}")
    return history
