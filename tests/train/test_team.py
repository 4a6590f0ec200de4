"""A training of several processes: the same pictures, numbers and gradients as one process has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnistsum_runtime.errors import CallError
from mnistsum_train.team import ALONE, Team, join
from mnistsum_train.training import split

TESTS = Path(__file__).parents[1]


def torchrun(script: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in two processes, one thread each."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(path)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment, timeout=300
    )


@pytest.mark.parametrize("count", [2, 3, 7, 64])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_shares_are_the_whole_batch(count: int, size: int) -> None:
    teams = [Team(rank, size) for rank in range(size)]
    shares = [list(range(count))[team.share(count)] for team in teams]
    assert [index for share in shares for index in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert sum(team.weight(count) for team in teams) == pytest.approx(size)


@pytest.mark.parametrize(("pictures", "processes", "sizes"), [(10, 1, [4, 4, 2]), (9, 1, [4, 4]), (9, 2, [4, 5])])
def test_every_picture_once_an_epoch(pictures: int, processes: int, sizes: list[int]) -> None:
    """Of one process, a single picture is left out; of several, what is too few for all joins the batch before."""
    batches = split(torch.arange(pictures), 4, processes)
    assert [len(batch) for batch in batches] == sizes
    assert torch.cat(batches).tolist() == list(range(sum(sizes)))


def test_a_batch_too_small_for_all_is_a_wrong_call() -> None:
    with pytest.raises(CallError, match="at least two pictures for each of 3 processes"):
        split(torch.arange(100), 4, 3)


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join(torch.device("cpu")) == ALONE
    assert ALONE.writes
    assert ALONE.mean([1.0, 2.0]) == [1.0, 2.0]


EPOCH = """
import sys
from pathlib import Path
import torch
from small_training import load_few
from mnistsum_train.presets import PRESETS
from mnistsum_train.team import ALONE, join, leave
from mnistsum_train.training import new_trainer, run_epoch

recipe, cpu = PRESETS["fast"].recipe, torch.device("cpu")
pictures = load_few(True)

def epoch(team):
    trainer = new_trainer(recipe, cpu, team)
    for module in trainer.network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True, module=module: module  # what each share would normalise by differs
            torch.nn.Module.train(module, False)
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    run_epoch(trainer, recipe, pictures, 1, lambda *_: None)
    return torch.cat([weight.flatten() for weight in trainer.network.parameters()])

team = join(cpu)
together = epoch(team)
if team.writes:
    alone, before = epoch(ALONE), torch.cat([w.flatten() for w in new_trainer(recipe, cpu).network.parameters()])
    Path(sys.argv[1]).write_text(f"{(together - alone).abs().max()} {(alone - before).abs().max()}")
leave()
"""


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    """Batch normalisation aside: order, numbers, augmentation and gradients are those of the whole batch."""
    done = torchrun(EPOCH, tmp_path, tmp_path / "difference")
    assert done.returncode == 0, done.stderr
    difference, moved = map(float, (tmp_path / "difference").read_text(encoding="utf-8").split())
    assert moved > 1e-3
    assert difference < 1e-4 * moved / 1e-3


TRAINING = """
import os, sys
from unittest import mock
import mnistsum_train.run
import mnistsum_train.cli
from mnistsum_runtime.commands.options import run_command
from small_training import load_few

if "--resume" not in sys.argv:
    mnistsum_train.cli.Progress.epoch = lambda *_: os._exit(9)
with mock.patch.object(mnistsum_train.run, "load_mnist", load_few):
    run_command(mnistsum_train.cli.command)
"""


@pytest.mark.slow
def test_two_processes_go_on_with_what_one_began_and_one_of_them_writes(tmp_path: Path) -> None:
    options = ("--epochs", 2, "--batch-size", 64, "--device", "cpu", "--out", tmp_path / "out")
    (tmp_path / "script.py").write_text(TRAINING, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    stopped = subprocess.run([sys.executable, tmp_path / "script.py", *map(str, options)], check=False, env=environment)
    assert stopped.returncode == 9
    done = torchrun(TRAINING, tmp_path, *options, "--resume")
    assert done.returncode == 0, done.stderr
    told = [line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert told == ["epoch 2/2"]
    assert done.stdout.splitlines()[0] == "600 test pairs"
    assert done.stdout.count("both right  ") == 2  # of all, and the head of the table
    assert len((tmp_path / "out" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert (tmp_path / "out" / "checkpoint.safetensors").exists()
