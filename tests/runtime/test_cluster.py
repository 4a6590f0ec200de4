"""Jobs on a cluster: a result each in its place, whatever dies, and errors of ours as what they are."""

import os
import sys
from pathlib import Path

import pytest

from mnistsum_runtime.cluster import LOCAL, run_on_cluster
from mnistsum_runtime.errors import CallError, MnistsumError, PictureError, WorkError

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def functions_travel_whole() -> None:
    """The cluster's processes do not have this file."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def die_once_then_square(folder: str, number: int) -> int:
    mark = Path(folder, str(number))
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return number * number


def fail(kind: str) -> None:
    raise PictureError("no_digit", "nothing there") if kind == "ours" else KeyError("a fault")


def test_a_job_whose_process_dies_is_begun_again(tmp_path: Path) -> None:
    jobs = [(str(tmp_path), number) for number in range(4)]
    found = list(run_on_cluster(die_once_then_square, jobs, LOCAL))
    assert sorted(found) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(("kind", "error"), [("ours", PictureError), ("another", WorkError)])
def test_errors_come_back(kind: str, error: type[MnistsumError]) -> None:
    with pytest.raises(error, match="nothing there" if kind == "ours" else "a fault") as caught:
        list(run_on_cluster(fail, [(kind,)], LOCAL))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1", "nowhere", "127.0.0.1:x", ""])
def test_no_cluster_is_a_wrong_call(address: str) -> None:
    with pytest.raises(CallError, match="no cluster answers there"):
        list(run_on_cluster(fail, [("ours",)], address))
