"""`mnistsum-doctor`: what it says of worlds in which mnistsum cannot run, and that none of them breaks it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from calling import call
from mnistsum_runtime.commands import doctor as doctor_command
from mnistsum_runtime.measure import doctor
from mnistsum_runtime.measure.device import (
    PACKAGES,
    Device,
    arm_parts,
    installed_versions,
    origin_of,
    this_device,
)
from mnistsum_runtime.measure.doctor import (
    STAGES,
    Check,
    Trial,
    check_device,
    check_packages,
    check_trial,
    try_model,
)
from mnistsum_runtime.measure.known import Tried, read_known

CORTEX_A72, CORTEX_A76, CORTEX_A55 = 0xD08, 0xD0B, 0xD05
PI_4 = Device(
    python=(3, 11, 2),
    system="Linux",
    machine="aarch64",
    bits=64,
    libc=("glibc", "2.36"),
    board="Raspberry Pi 4 Model B Rev 1.4",
    arm_parts=frozenset({CORTEX_A72}),
    cores=4,
    memory=4_000_000_000,
)
VERSIONS: dict[str, str | None] = {
    "mnistsum": "0.1.0",
    "onnxruntime": "1.32.0",
    "numpy": "2.4.6",
    "Pillow": "13.0.0",
    "click": "8.5.1",
}
ILLEGAL = "the process died of an illegal instruction (SIGILL)"
TRIED = [
    Tried("1.21.0", "wheel", "aarch64", "Cortex-A72", CORTEX_A72, False, ILLEGAL, "issue 23957"),
    Tried("1.21.0", "wheel", "aarch64", "Cortex-A76", CORTEX_A76, True, None, None),
    Tried("1.21.0", "debian", "aarch64", "Cortex-A72", CORTEX_A72, True, None, None),
    Tried("1.32.0", "wheel", "aarch64", "Cortex-A72", CORTEX_A72, True, None, None),
]
SAYS = "import json\ndef say(stage): print(json.dumps([stage, 'fine']), flush=True)\n"
"""Start of a child that gets as far as a test wants it to."""


def not_ok(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.verdict != "ok"]


def test_a_good_pi_has_no_problem() -> None:
    assert not_ok([*check_device(PI_4), *check_packages(VERSIONS, PI_4)]) == []


@pytest.mark.parametrize(
    ("change", "name", "verdict", "advice"),
    [
        ({"machine": "armv6l", "bits": 32}, "machine", "problem", "no onnxruntime is known for ARMv6"),
        ({"machine": "i686", "bits": 32}, "system", "problem", "install a 64-bit system"),
        ({"libc": ("", "")}, "C library", "problem", "musl"),
        ({"libc": ("glibc", "2.24")}, "C library", "problem", "newer system"),
        ({"libc": ("glibc", "2.27")}, "C library", "warning", "older one"),
        ({"python": (3, 9, 2)}, "Python", "problem", "3.11"),
        ({"memory": 250_000_000}, "memory", "warning", "70 MB"),
    ],
)
def test_a_bad_device_is_told_with_what_to_do(change: dict[str, object], name: str, verdict: str, advice: str) -> None:
    checks = not_ok(list(check_device(replace(PI_4, **change))))  # type: ignore[arg-type]
    found = next(check for check in checks if check.name == name)
    assert found.verdict == verdict
    assert re.search(advice, found.advice or "")


@pytest.mark.parametrize(
    ("package", "version", "verdict", "advice"),
    [
        ("onnxruntime", "1.14.1", "problem", "1.15 or later"),
        ("onnxruntime", None, "problem", "pip install onnxruntime"),
        ("onnxruntime", "1.18.1", "problem", "pip install 'numpy<2'"),
        ("numpy", "1.25.2", "problem", "1.26 or later"),
        ("Pillow", None, "problem", "pip install Pillow"),
    ],
)
def test_a_bad_package_is_told_with_what_to_do(package: str, version: str | None, verdict: str, advice: str) -> None:
    (found,) = not_ok(list(check_packages(VERSIONS | {package: version}, PI_4)))
    assert (found.name, found.verdict) == (f"{package} installed", verdict)
    assert advice in (found.advice or "")


@pytest.mark.parametrize(
    ("version", "origin", "parts", "verdicts"),
    [
        ("1.21.0", "wheel", {CORTEX_A72}, ["problem"]),
        ("1.21.0", "wheel", {CORTEX_A72, CORTEX_A76}, ["problem"]),
        ("1.21.0", "wheel", {CORTEX_A76}, []),
        ("1.21.0", "wheel", {CORTEX_A55}, ["warning"]),
        ("1.21.0", "wheel", set(), ["warning"]),
        ("1.21", "debian", {CORTEX_A72}, []),
        ("1.21", "debian", {CORTEX_A55}, []),
        ("1.32.0", "wheel", {CORTEX_A55}, []),
    ],
)
def test_what_died_on_a_board_is_known(version: str, origin: str, parts: set[int], verdicts: list[str]) -> None:
    device = replace(PI_4, arm_parts=frozenset(parts))
    found = not_ok(list(check_packages(VERSIONS | {"onnxruntime": version}, device, origin, TRIED)))
    assert [check.verdict for check in found] == verdicts
    for check in found:
        assert check.advice == (
            f"tried on Cortex-A72: {ILLEGAL}; issue 23957: "
            "install another version: pip install 'onnxruntime!=1.21.0' --upgrade"
        )


def test_what_died_on_an_arm_is_no_concern_of_a_pc() -> None:
    pc = replace(PI_4, machine="x86_64", arm_parts=frozenset())
    assert not_ok(list(check_packages(VERSIONS | {"onnxruntime": "1.21.0"}, pc, "wheel", TRIED))) == []


@pytest.mark.parametrize(
    ("origin", "version", "remedy"), [("wheel", "1.21.0", "!=1.21.0"), ("debian", "1.21", "install wheels instead")]
)
def test_the_table_knows_the_builds_that_die(origin: str, version: str, remedy: str) -> None:
    """The package's own data, as `make boards` wrote them."""
    bad = VERSIONS | {"onnxruntime": version}
    for core, name in ((0xD03, "Cortex-A53"), (CORTEX_A72, "Cortex-A72")):
        device = replace(PI_4, arm_parts=frozenset({core}))
        (found,) = not_ok(list(check_packages(bad, device, origin, read_known())))
        assert found.verdict == "problem"
        for word in (name, "illegal instruction", remedy):
            assert word in (found.advice or "")
    pi_5 = replace(PI_4, arm_parts=frozenset({CORTEX_A76}))
    assert not_ok(list(check_packages(bad, pi_5, origin, read_known()))) == []


PI_2 = replace(PI_4, machine="armv7l", bits=32, arm_parts=frozenset({0xC07}))


@pytest.mark.parametrize("device", [PI_2, replace(PI_2, machine="aarch64"), replace(PI_2, machine="armv8l")])
def test_a_32_bit_arm_system_with_debian_s_packages_has_no_problem(device: Device) -> None:
    versions = VERSIONS | {"onnxruntime": "1.21", "numpy": "2.2.4", "Pillow": "11.1.0", "click": "8.1.8"}
    assert not_ok([*check_device(device), *check_packages(versions, device, "debian", read_known())]) == []


@pytest.mark.parametrize("package", ["onnxruntime", "numpy", "Pillow"])
def test_a_32_bit_arm_system_without_a_package_is_told_of_debian_s(package: str) -> None:
    (found,) = not_ok(list(check_packages(VERSIONS | {package: None}, PI_2)))
    assert found.verdict == "problem"
    assert "sudo apt install python3-onnxruntime" in (found.advice or "")
    assert "bookworm has not" in (found.advice or "")
    assert "64-bit Raspberry Pi OS" in (found.advice or "")


def test_a_64_bit_machine_without_wheels_is_told_of_debian_s() -> None:
    device = replace(PI_4, machine="riscv64", arm_parts=frozenset())
    (found,) = not_ok(list(check_packages(VERSIONS | {"onnxruntime": None}, device)))
    assert "sudo apt install python3-onnxruntime" in (found.advice or "")
    assert "Raspberry Pi OS on" not in (found.advice or "")


def test_armv6_is_told_that_there_is_none() -> None:
    device = replace(PI_4, machine="armv6l", bits=32, arm_parts=frozenset())
    (found,) = not_ok(list(check_packages(VERSIONS | {"onnxruntime": None}, device)))
    assert "ARMv6" in (found.advice or "")


def test_a_wheel_is_told_from_a_package_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert origin_of("onnxruntime") == "wheel"
    system = tmp_path / "dist-packages"
    (system / "some_package-1.21.egg-info").mkdir(parents=True)
    (system / "some_package-1.21.egg-info/PKG-INFO").write_text("Name: some_package\nVersion: 1.21\n")
    monkeypatch.syspath_prepend(system)
    assert origin_of("some_package") == "debian"
    assert origin_of("no_package") == ""


def test_bounds_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    bounds = dict(line.split(",")[0].split(">=") for line in project["dependencies"])
    assert {name: tuple(map(int, bound.split("."))) for name, bound in bounds.items()} == doctor._OLDEST
    assert set(bounds) | {"mnistsum"} == set(PACKAGES)


def test_arm_cores_are_read_from_cpuinfo() -> None:
    core = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\n"
    assert arm_parts(core * 4) == {CORTEX_A72}
    assert arm_parts(core.replace("0x41", "0x61")) == frozenset()
    assert arm_parts(core.replace("0xd08", "unknown")) == frozenset()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize("stage", ["numpy", "onnxruntime", "inference"])
def test_an_illegal_instruction_becomes_a_sentence(stage: str) -> None:
    before = list(STAGES)[: list(STAGES).index(stage)]
    child = (
        SAYS + "".join(f"say({name!r})\n" for name in before) + "import os, signal\nos.kill(os.getpid(), signal.SIGILL)"
    )
    trial = try_model(None, child=child)
    assert list(trial.reached) == before
    *good, bad = check_trial(trial)
    assert not_ok(good) == []
    assert (bad.name, bad.verdict) == (STAGES[stage], "problem")
    assert "an illegal instruction (SIGILL)" in bad.found
    assert "install another version" in (bad.advice or "")


def test_what_a_library_prints_is_passed_over() -> None:
    child = f"print('[[1], [2]]')\nprint('[1]')\n{SAYS}say('numpy')"
    assert list(try_model(None, child=child).reached) == ["numpy"]


def test_nothing_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "numpy.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert try_model(str(model_file)).error is None


def test_a_child_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE", 0.5)
    trial = try_model(None, child="import time\ntime.sleep(60)")
    assert trial == Trial({}, "no end after 0.5 s")


@pytest.mark.parametrize("package", ["numpy", "PIL", "onnxruntime"])
def test_a_package_that_cannot_be_imported_is_named_in_one_line(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('libsomething.so.1: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    *_, bad = check_trial(try_model(str(model_file)))
    assert bad.verdict == "problem"
    assert bad.found == "ImportError: libsomething.so.1: cannot open shared object file"


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_model_that_is_no_good_is_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    called = call(doctor_command.command, "--model", path)
    assert called.code == 1
    assert f"problem  opening the model       model {path}" in called.out
    assert called.out.endswith("1 problem found\n")
    assert called.err == ""


def test_a_good_world_gives_0_and_a_verdict_on_every_line(model_file: Path) -> None:
    called = call(doctor_command.command, "--model", model_file)
    assert (called.code, called.err) == (0, ""), called
    assert called.out.endswith("no problem found\n")
    assert "ok       running the network" in called.out


def test_json_is_one_object_with_every_check(model_file: Path) -> None:
    called = call(doctor_command.command, "--model", model_file, "--json")
    page = json.loads(called.out)
    assert page["ok"] is True
    assert [check["check"] for check in page["checks"]][-len(STAGES) :] == list(STAGES.values())
    assert all(set(check) == {"check", "found", "verdict", "advice"} for check in page["checks"])


def test_doctor_itself_imports_nothing_that_may_be_broken(tmp_path: Path) -> None:
    for package in ("numpy", "PIL", "onnxruntime"):
        (tmp_path / f"{package}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    result = subprocess.run(
        [sys.executable, "-c", "from mnistsum_runtime.commands.doctor import main; main()", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (result.returncode, result.stderr) == (1, "")
    assert json.loads(result.stdout)["ok"] is False


def test_this_device_is_described() -> None:
    here = this_device()
    assert here.bits in (32, 64)
    assert here.cores >= 1
    assert here.to_dict()["machine"]
    assert None not in installed_versions().values()
