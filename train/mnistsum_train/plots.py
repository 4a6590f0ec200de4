"""The pictures of a report: learning curves, confusion matrices, the worst mistakes."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers
from mnistsum_train.studies.label_errors import DOUBTED
from mnistsum_train.training import EpochMetrics

mpl.use("agg")

WIDTH = 8
"""Inches, 880 pixels: a page shows a picture of this width as it is, so that its letters can be read."""
SHEET_COLUMNS, SHEET_ROWS = 6, 6
GATED = 0.15
"""A digit said with less has equal logits, nearly: the gate has multiplied them by almost nothing."""
MISTAKES_COLUMNS = 8
MISTAKES_ROW, MISTAKES_HEAD = 1.55, 0.7
"""Inches of the sheet's height."""


def learning_curves(history: list[EpochMetrics], operation: Operation) -> bytes:
    """PNG: both losses (left) and both error rates (right) over the epochs, of training and of any validation."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    loss, error = figure.subplots(1, 2)
    sources = [("training", "", ":"), ("validation", "validation_", "-")]
    title = "Training: while the weights move, on augmented pictures where the recipe has them"
    if any(metrics.validation_both is None for metrics in history):  # all pictures were learnt from
        sources = sources[:1]
    else:
        title += "\nValidation: after the epoch, on plain pictures with averaged weights"
    epochs = range(1, len(history) + 1)
    networks = sum(metrics.epoch == 1 for metrics in history)
    below = "epoch" if networks < 2 else "epoch, one network after the other"
    for head, name, colour in (("digit", "digit", "tab:blue"), ("value", operation.name, "tab:orange")):
        for source, prefix, style in sources:
            losses = [getattr(metrics, f"{prefix}{head}_loss") for metrics in history]
            accuracy = f"{prefix}{head}" + ("" if prefix else "_accuracy")
            errors = [100 * (1 - getattr(metrics, accuracy)) for metrics in history]
            label = f"{name}, {source}"
            loss.plot(epochs, losses, style, color=colour, label=label, marker=".")
            error.plot(epochs, errors, style, color=colour, label=label, marker=".")
    loss.set(title="Loss", xlabel=below, ylabel="cross-entropy", yscale="log")
    error.set(title="Wrong answers", xlabel=below, ylabel="%", yscale="log")
    for axes in (loss, error):
        _number_marks(axes.yaxis)
        axes.grid(which="both", alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return _png(figure)


def confusion_matrix(answered: np.ndarray, truth: np.ndarray, names: list[int], title: str) -> bytes:
    """PNG: how often each true class (row) was answered as which (column).

    Args:
        answered: int [n], class indices.
        truth: int [n], class indices.
        names: What each class stands for.
        title: Above the matrix.
    """
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (truth, answered), 1)
    figure = Figure(figsize=(2.5 + 0.42 * len(names), 2.2 + 0.38 * len(names)), layout="constrained")
    axes = figure.subplots()
    mistakes = counts.astype(float)
    np.fill_diagonal(mistakes, np.nan)
    image = axes.imshow(np.ma.masked_invalid(mistakes), cmap="Reds", vmin=0, vmax=max(1, np.nanmax(mistakes)))
    size = 8 if len(names) <= NUMBERS else 5.5
    for row, column in np.argwhere(counts > 0):
        bold = "bold" if row == column else "normal"
        colour = "white" if mistakes[row, column] > 0.6 * np.nanmax(mistakes) else "black"
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, weight=bold, color=colour
        )
    axes.set(xlabel="answered", ylabel="true", xticks=range(len(names)), yticks=range(len(names)))
    axes.set_xticklabels([str(name) for name in names], fontsize=size + 1)
    axes.set_yticklabels([str(name) for name in names], fontsize=size + 1)
    figure.colorbar(image, label="mistakes (the diagonal is right)", shrink=0.7)
    axes.set_title(title)
    return _png(figure)


def worst_mistakes(answers: Answers, test: Part, operation: Operation) -> bytes:
    """PNG: the pictures with a wrong answer whose true digit got the least probability, with what the network said.

    They are in the order of that probability, its mean over the ten numbers; both outputs are shown for the number with
    which the second was most wrong. Where fewer pictures are wrong than the sheet holds, right ones follow.
    """
    labels = test.labels
    value_truth = torch.tensor(operation.class_table())[labels]
    digit_probability = answers.digit.softmax(-1).mean(1)
    value_probability = answers.value.softmax(-1).gather(2, value_truth[..., None])[..., 0]
    right = (answers.digit.argmax(-1) == labels[:, None]) & (answers.value.argmax(-1) == value_truth)
    order = (digit_probability[torch.arange(len(labels)), labels] + right.all(dim=1)).argsort()
    figure = Figure(figsize=(WIDTH, 1.78 * SHEET_ROWS + 0.7), layout="constrained")
    panels = list(figure.subplots(SHEET_ROWS, SHEET_COLUMNS).flat)
    for axes in panels:
        axes.axis("off")
    for axes, index in zip(panels, order[: SHEET_COLUMNS * SHEET_ROWS].tolist(), strict=False):
        number = int((value_probability[index] + right[index]).argmin())
        share, said = (float(best) for best in answers.digit[index, number].softmax(-1).max(-1))
        value = operation.classes[int(answers.value[index, number].argmax())]
        truth, expected = int(labels[index]), operation.function(int(labels[index]), number)
        axes.imshow(test.images[index, 0].numpy(), cmap="gray_r")
        axes.set_title(
            f"true {truth}, said {said:.0f} ({100 * share:.0f} %{'*' if share < GATED else ''})\n"
            f"{truth} {operation.symbol} {number} = {expected}, said {value}",
            fontsize=8,
            color="black" if said == truth and value == expected else "tab:red",
        )
    mistaken = int((~right.all(dim=1)).sum())
    figure.suptitle(
        f"{mistaken} of {len(test):,} test pictures get a wrong answer (red); these got the least probability\n"
        "on the true digit, and are shown with the number with which they are most wrong. * The gate doubts\n"
        "that it is a digit and lowers all probabilities, nearly to a tenth each; that changes no answer.",
        fontsize=9,
    )
    return _png(figure)


def mistakes_over_seeds(answers: list[Answers], test: Part, operation: Operation) -> bytes:
    """PNG: every test picture with a wrong answer from at least one seed, those with most wrong answers first.

    Above each: its index and label, the digit that each seed's network read (the most probable over the ten numbers),
    and how many of the pairs are not both right. A red frame marks what people doubt too (`label_errors`).

    Args:
        answers: Of each seed's network for the whole test set.
        test: The test set.
        operation: For the second output's truth.
    """
    value_truth = torch.tensor(operation.class_table())[test.labels]
    read = torch.stack([one.digit.softmax(-1).mean(1).argmax(-1) for one in answers], dim=1)
    wrong = torch.stack(
        [(one.digit.argmax(-1) != test.labels[:, None]) | (one.value.argmax(-1) != value_truth) for one in answers]
    )
    pairs_wrong, pairs = wrong.sum(dim=(0, 2)), wrong[:, 0].numel()
    order = pairs_wrong.argsort(descending=True, stable=True)[: int((pairs_wrong > 0).sum())].tolist()
    rows = max(1, -(-len(order) // MISTAKES_COLUMNS))
    figure = Figure(figsize=(WIDTH, MISTAKES_ROW * rows + MISTAKES_HEAD), layout="constrained")
    panels = list(figure.subplots(rows, MISTAKES_COLUMNS, squeeze=False).flat)
    for axes in panels:
        axes.axis("off")
    for axes, index in zip(panels, order, strict=False):
        label = int(test.labels[index])
        title = (
            f"{index}: true {label}\nread {' '.join(map(str, read[index].tolist()))}\n{pairs_wrong[index]} of {pairs}"
        )
        if index in DOUBTED:
            title += f"\n{DOUBTED[index]} of 5 people: {label}"
            axes.add_patch(Rectangle((-0.5, -0.5), 28, 28, fill=False, edgecolor="tab:red", linewidth=3))
        axes.imshow(test.images[index, 0].numpy(), cmap="gray_r")
        axes.set_title(title, fontsize=7.5, color="tab:red" if index in DOUBTED else "black")
    marked = sum(index in DOUBTED for index in order)
    share = 100 * wrong.float().mean()
    figure.suptitle(
        f"{len(order)} of {len(test):,} test pictures get a wrong answer from one of {len(answers)} seeds with one of "
        f"10 numbers:\n{share:.3f} % of all pairs. Above each: index and label; what the network of each seed reads;\n"
        f"how many of the {pairs} pairs are wrong. Red: {marked} whose label people doubt, and how many see it\n"
        "(Northcutt et al., 2021).",
        fontsize=9,
    )
    return _png(figure)


def accuracy_over_seconds(curves: dict[str, list[tuple[float, float]]], target: float) -> bytes:
    """PNG: error over seconds of training, both logarithmic, a curve a name, and where the target is reached.

    Args:
        curves: For each name its points (seconds, accuracy 0..1).
        target: Accuracy 0..1, drawn as a line.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        reached = next((seconds for seconds, accuracy in points if accuracy >= target), None)
        label = name if reached is None else f"{name}, {100 * target:.1f} % after {reached:.1f} s"
        errors = [100 * (1 - accuracy) for _, accuracy in points]
        axes.plot([seconds for seconds, _ in points], errors, marker="o", label=label)
    axes.axhline(100 * (1 - target), color="gray", linestyle=":", label=f"{100 * target:.1f} % right")
    axes.set(xlabel="seconds of training", ylabel="wrong on the test set, %", xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        _number_marks(axis)
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    return _png(figure)


def risk_over_coverage(curves: dict[str, tuple[np.ndarray, np.ndarray]], limit: float) -> bytes:
    """PNG: what share of the answers called reliable is wrong, over how many are, a curve a name.

    Each point of a curve is a limit of the confidence (Geifman and El-Yaniv, "Selective Classification for Deep Neural
    Networks", 2017). The scale of the risk is logarithmic: a curve begins with its first wrong answer, and a dot with
    none at all lies on the lower edge.

    Args:
        curves: For each name the smaller confidence of each answer, float [n], 0 for one that is not reliable whatever
            the limit; and whether the answer is wrong, bool [n].
        limit: The confidence from which answers are called reliable, drawn as a dot on each curve.
    """
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    axes = figure.subplots()
    points = {name: _coverage_and_risk(confidence, wrong) for name, (confidence, wrong) in curves.items()}
    lowest = min((risk[risk > 0].min() for _, risk in points.values() if risk.any()), default=1e-4) / 1.5
    for index, (name, (coverage, risk)) in enumerate(points.items()):
        confidence, wrong = curves[name]
        reliable = (confidence > 0) & (confidence >= limit)
        share, risk_there = reliable.mean(), wrong[reliable].mean() if reliable.any() else 0.0
        label = f"{name}: {share:.1%} called reliable, {risk_there:.2%} of them wrong"
        axes.plot(100 * coverage, np.where(risk > 0, 100 * risk, np.nan), color=f"C{index}", label=label)
        axes.plot(100 * share, 100 * max(risk_there, lowest), "o", color=f"C{index}", markersize=9, clip_on=False)
    axes.set(xlabel="answers called reliable, %", ylabel="wrong among them, %", yscale="log", xlim=(0, 100))
    axes.set_ylim(bottom=100 * lowest)
    _number_marks(axes.yaxis)
    axes.grid(which="both", alpha=0.3)
    figure.legend(title="The dot: the limit in the model file", loc="outside lower center")
    return _png(figure)


def _number_marks(axis: Axis) -> None:
    """Write numbers beside a logarithmic axis, once its curves are drawn: three at the least."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 20 * low else (1, 1.5, 2, 3, 5, 7), numticks=99))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _coverage_and_risk(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the answers that reach a limit, and share of those that is wrong, for each limit from high to low.

    Answers of one confidence come together, since no limit parts them; those of confidence 0 never come.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last_of_its_confidence = np.append(np.diff(ordered) != 0, True) & (ordered > 0)
    count = np.arange(1, len(order) + 1)
    coverage, risk = count / len(order), np.cumsum(wrong[order]) / count
    return coverage[last_of_its_confidence], risk[last_of_its_confidence]


def report_pictures(
    history: list[EpochMetrics], answers: Answers, test: Part, operation: Operation
) -> dict[str, Callable[[], bytes]]:
    """What draws each picture of a report, by file name."""
    numbers = answers.digit.shape[1]
    digit_truth = test.labels.repeat_interleave(numbers).numpy()
    value_truth = torch.tensor(operation.class_table())[test.labels].flatten().numpy()
    digit, value = (logits.argmax(-1).flatten().numpy() for logits in (answers.digit, answers.value))
    digits, values, pairs = list(range(NUMBERS)), list(operation.classes), f"{len(digit_truth):,} test pairs"
    return {
        "learning_curves.png": partial(learning_curves, history, operation),
        "confusion_digit.png": partial(confusion_matrix, digit, digit_truth, digits, f"digit, {pairs}"),
        f"confusion_{operation.name}.png": partial(
            confusion_matrix, value, value_truth, values, f"{operation.name}, {pairs}"
        ),
        "worst_mistakes.png": partial(worst_mistakes, answers, test, operation),
    }


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    options: dict[str, Any] = {"format": "png", "dpi": 110, "metadata": {"Software": None}}
    figure.savefig(buffer, **options)
    return buffer.getvalue()
