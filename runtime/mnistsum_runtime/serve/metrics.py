"""What is counted while requests are answered, and how Prometheus reads it.

Counting is adding to a dictionary, on the event loop alone; prometheus_client writes the text, and is imported when
somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mnistsum_runtime.errors import PictureError
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.serve.models import ServedModel

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms, in seconds."""


class Histogram:
    """Counts of times by bucket, and their sum."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Bound and count up to it, as Prometheus wants them."""
        total, rows = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class Metrics:
    """Everything that is counted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By route, status and model."""
        self.answers: Counter[tuple[str, str, str]] = Counter()
        """By model, outcome and reason; see `outcome_of`."""
        self.steps: defaultdict[str, Histogram] = defaultdict(Histogram)
        """By step: `read`, `prepare`, `infer`."""
        self.whole: defaultdict[str, Histogram] = defaultdict(Histogram)
        """By route: from the request's headers to the end of the answer."""

    def count_answer(self, model: str, found: Prediction | PictureError, seconds: dict[str, float]) -> None:
        """Count one picture's answer."""
        self.answers[model, *outcome_of(found)] += 1
        for step, each in seconds.items():
            self.steps[step].add(each)

    def to_text(self, models: Iterable[ServedModel], waiting: int, pending: int) -> bytes:
        """The text that Prometheus reads.

        Args:
            models: That are served.
            waiting: Requests that wait for a worker.
            pending: These, and those in work.
        """
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(list(self._families(models, waiting, pending))))
        return bytes(generate_latest(registry))

    def _families(self, models: Iterable[ServedModel], waiting: int, pending: int) -> Iterator[Any]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        requests = CounterMetricFamily(
            "mnistsum_requests", "Requests that were answered.", labels=["route", "status", "model"]
        )
        for labels, count in self.requests.items():
            requests.add_metric(labels, count)
        answers = CounterMetricFamily("mnistsum_answers", "Pictures.", labels=["model", "outcome", "reason"])
        for labels, count in self.answers.items():
            answers.add_metric(labels, count)
        yield from (requests, answers)
        for name, text, label, histograms in (
            ("mnistsum_step_seconds", "Time for a step of an answer.", "step", self.steps),
            ("mnistsum_request_seconds", "Time for a request.", "route", self.whole),
        ):
            family = HistogramMetricFamily(name, text, labels=[label])
            for value, histogram in histograms.items():
                family.add_metric([value], histogram.cumulative(), histogram.sum)
            yield family
        yield GaugeMetricFamily("mnistsum_queue_length", "Requests that wait for a worker.", waiting)
        yield GaugeMetricFamily("mnistsum_pending", "Requests that wait or are in work.", pending)
        about = InfoMetricFamily("mnistsum_model", "The model files that are served.", labels=["model"])
        for model in models:
            about.add_metric([model.name], {"sha256": model.sha256, "precision": model.precision or ""})
        yield about


class _Collector:
    """What prometheus_client calls a collector: it has its families ready."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        return self._families


def outcome_of(found: Prediction | PictureError) -> tuple[str, str]:
    """`reliable`, `unsure` or `error`; and the reason, without what differs from answer to answer."""
    from mnistsum_runtime.errors import PictureError

    if isinstance(found, PictureError):
        return "error", found.kind
    if found.reason is None:
        return "reliable", ""
    for begins in ("could be", "the two outputs disagree"):
        if found.reason.startswith(begins):
            return "unsure", begins
    return "unsure", found.reason
