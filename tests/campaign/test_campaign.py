"""A short piece of each campaign; and a campaign that meets a fault says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from campaign import run
from campaign.campaigns import CAMPAIGNS
from campaign.forking import End, Job
from campaign.hostile_graphs import GRAPHS
from campaign.judging import judge, strict_json
from campaign.trying import Campaign, FailedError, Try
from mnistsum_runtime.atomic import write_atomically

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign.name)
def test_nothing_breaks(campaign: Campaign, tmp_path: Path) -> None:
    tally = run.run_campaign(campaign, range(campaign.counts[0]), run.Plan(seed=1, keep=tmp_path, workers=2))
    assert tally.failed == []
    assert tally.tried + sum(tally.skipped.values()) == campaign.counts[0]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("raise ValueError('a fault')", "says Traceback"),
        ("print('Traceback')", "says Traceback"),
        ("sys.exit(1)", "0 lines on standard error, not 1"),
        ("print('two\\nlines', file=sys.stderr); sys.exit(2)", "expected exit code"),
        ("print('\\x1b[2J')", "raw control characters"),
        ("time.sleep(60)", "no end in time"),
        ("os.kill(os.getpid(), 11)", "expected exit code"),
    ],
)
def test_a_fault_is_counted_and_its_input_kept(
    script: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(f"import os, sys, time\ndef fault():\n    {script}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    def attempt(current: Try) -> None:
        current.write("input", b"what broke it")
        judge(current.server.run(Job("planted:fault", (), str(current.folder), seconds=2)), "fault", (0, 1))

    campaign = replace(CAMPAIGNS[0], name="planted", attempt=attempt)
    tally = run.run_campaign(campaign, range(1), run.Plan(keep=tmp_path / "kept"))
    assert (tally.tried, tally.held) == (1, 0)
    assert problem in tally.failed[0]
    kept = tmp_path / "kept" / "planted-0-0"
    assert (kept / "input").read_bytes() == b"what broke it"
    assert problem in (kept / "problem.txt").read_text(encoding="utf-8")


def test_the_same_seed_tries_the_same(tmp_path: Path) -> None:
    campaign = next(each for each in CAMPAIGNS if each.name == "compare")
    seen: list[list[float]] = []

    def attempt(current: Try) -> None:
        seen[-1].append(current.random.random())

    for _ in range(2):
        seen.append([])
        run.run_campaign(replace(campaign, attempt=attempt), range(5), run.Plan())
    assert sorted(seen[0]) == sorted(seen[1])
    assert len(set(seen[0])) == 5


@pytest.mark.parametrize("text", [b"", b'{"a": NaN}', b'{"a": Infinity}', b"{} {}", b"[" * 100_000])
def test_json_is_what_the_standard_says(text: bytes) -> None:
    with pytest.raises(FailedError):
        strict_json(text)


def test_a_command_that_ends_as_documented_holds() -> None:
    judge(End(2, b"", b"mnistsum-run: a wrong call\n", 0.1, 0), "mnistsum-run", (0, 2))


def test_records_of_one_machine_come_together(tmp_path: Path) -> None:
    out = tmp_path / "campaign.json"
    for campaign in CAMPAIGNS[:2]:
        run.record(out, campaign, run.Tally(tried=3), seed=7)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert list(found["campaigns"]) == [campaign.name for campaign in CAMPAIGNS[:2]]
    found["versions"]["onnxruntime"] = "0"
    write_atomically(out, json.dumps(found).encode())
    run.record(out, CAMPAIGNS[0], run.Tally(tried=3), seed=7)
    assert list(json.loads(out.read_text(encoding="utf-8"))["campaigns"]) == [CAMPAIGNS[0].name]


def test_hostile_graphs_are_many_and_differ() -> None:
    assert len(GRAPHS) >= 60
    assert len({hostile.name for hostile in GRAPHS}) == len(GRAPHS)
    contents = [hostile.to_bytes() for hostile in GRAPHS if "deep" not in hostile.name and "MB" not in hostile.name]
    assert len(set(contents)) == len(contents)
