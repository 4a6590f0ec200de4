"""What a Pi installs is what constraints.txt says, each file by its SHA-256; what the page's lines name is there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click import ClickException
from packaging.requirements import Requirement

from pi import possible
from pi.lock import collect
from pi.readme import read_lines
from pi.run_on_pi import BIN
from pi.wheelhouse import EXTRA, LOCK, PICTURE, PYTHONS, REQUIREMENTS, ROOT, is_ours, to_text

PINNED = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
LINES = read_lines((ROOT / "runtime" / "platforms.md").read_text(encoding="utf-8"))


def pinned() -> dict[str, str]:
    return {name: version for name, version, _ in PINNED.findall(LOCK.read_text(encoding="utf-8"))}


def test_the_list_is_nothing_but_pinned_versions_with_hashes() -> None:
    text = re.sub(r"^#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert PINNED.sub("", text) == ""
    for name, _, hashes in PINNED.findall(text):
        assert hashes.count("--hash") in (1, len(PYTHONS)), name  # one for all, or one for each Python


def constrained(environment: dict[str, str]) -> dict[str, str]:
    """Versions of constraints.txt on a machine, by name."""
    lines = re.sub("#.*", "", (ROOT / "constraints.txt").read_text(encoding="utf-8")).split("\n")
    requirements = [Requirement(line) for line in lines if line.strip()]
    here = [each for each in requirements if each.marker is None or each.marker.evaluate(environment)]
    names = [each.name for each in here]
    assert len(names) == len(set(names)), "a name has two versions"
    return {each.name: str(each.specifier).removeprefix("==") for each in here}


LINUX = "#1 SMP PREEMPT_DYNAMIC Debian 6.18.44-1"
DARWIN = "Darwin Kernel Version {}: Tue Jan  1 00:00:00 PST 2026; root:xnu-1~1/RELEASE"


@pytest.mark.parametrize(
    ("system", "machine", "kernel", "onnxruntime"),
    [
        ("linux", "x86_64", LINUX, "1.32.0"),
        ("linux", "aarch64", LINUX, "1.32.0"),
        ("win32", "AMD64", "10.0.26100", "1.32.0"),
        ("darwin", "arm64", DARWIN.format("25.1.0"), "1.32.0"),
        ("darwin", "arm64", DARWIN.format("23.6.0"), "1.32.0"),
        ("darwin", "arm64", DARWIN.format("22.6.0"), "1.23.2"),
        ("darwin", "x86_64", DARWIN.format("24.0.0"), "1.23.2"),
    ],
)
def test_every_system_has_the_newest_onnxruntime_that_has_a_wheel_for_it(
    system: str, machine: str, kernel: str, onnxruntime: str
) -> None:
    environment = {"sys_platform": system, "platform_machine": machine, "platform_version": kernel}
    assert constrained(environment)["onnxruntime"] == onnxruntime


def test_versions_are_those_of_the_constraints() -> None:
    constraints = constrained({"sys_platform": "linux", "platform_machine": "aarch64"})
    found = {name: version for name, version in pinned().items() if name in constraints}
    assert found == {name: constraints[name] for name in found}, "run `make lock`"
    assert {"onnxruntime", "numpy", "pillow", "click"} <= found.keys()


def test_all_that_the_package_and_the_server_need_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"][EXTRA]]
    names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in needed}
    assert names <= pinned().keys(), "run `make lock`"


def report(name: str, version: str, digest: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "version": version},
        "download_info": {"archive_info": {"hashes": {"sha256": digest}}},
    }


def test_hashes_of_all_pythons_are_collected() -> None:
    hashes = collect([report("Some_Package", "1.0", "b"), report("some-package", "1.0", "a")])
    assert to_text(hashes) == "some-package==1.0 \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n"


def test_two_versions_of_a_package_are_refused() -> None:
    with pytest.raises(ClickException, match="some"):
        collect([report("some", "1.0", "a"), report("some", "1.1", "b")])


@pytest.mark.parametrize(
    ("name", "ours"), [("click-8.5.1-py3-none-any.whl", True), (REQUIREMENTS, True), ("letter.txt", False)]
)
def test_a_folder_with_files_of_others_is_told_from_an_old_wheelhouse(name: str, ours: bool) -> None:
    assert is_ours(Path(name)) is ours


@pytest.mark.parametrize("lines", [LINES.with_network, LINES.without_network, LINES.debian])
def test_the_page_names_the_picture_that_is_carried(lines: str) -> None:
    assert PICTURE.exists()
    assert f"mnistsum-run ~/wheelhouse/{PICTURE.name} 4" in lines
    assert f"~/{BIN}/mnistsum-verify\n" in lines


def test_hashes_are_checked_on_both_ways_to_wheels() -> None:
    assert "--require-hashes" in LINES.with_network
    assert "--require-hashes" in LINES.without_network


@pytest.mark.parametrize(
    ("release", "root", "apt", "missing"),
    [
        ("6.18.44", 0, "/usr/bin/apt-get", []),
        ("6.1.0-18-amd64", 0, "/usr/bin/apt-get", ["Linux 6.7 or later"]),
        ("6.18.44", 1000, None, ["Debian's apt-get", "root"]),
    ],
)
def test_what_cannot_be_emulated_here_is_told_at_once(
    release: str, root: int, apt: str | None, missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.release", lambda: release)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", {"apt-get": apt}.get)
    monkeypatch.setattr("os.geteuid", lambda: root)
    assert possible.what_is_missing() == missing
    if missing:
        with pytest.raises(SystemExit, match=f"^emulated boards need Debian, root and Linux 6.7; .*{missing[0]}"):
            possible.main()
