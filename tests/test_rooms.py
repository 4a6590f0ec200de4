"""Imports point one way: export, train, runtime; and what is generic knows nothing of digits."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = {"mnistsum_runtime": "runtime", "mnistsum_train": "train", "mnistsum_export": "export"}
MODULES = {
    ".".join(path.relative_to(ROOT / folder).with_suffix("").parts): path
    for part, folder in PARTS.items()
    for path in (ROOT / folder / part).rglob("*.py")
}
GENERIC = sorted(name for name in MODULES if name.split(".")[1:2] == ["proof"])
KNOWS_NO_DIGIT = {
    "mnistsum_runtime",
    "mnistsum_runtime.atomic",
    "mnistsum_runtime.errors",
    "mnistsum_runtime.terminal",
    "mnistsum_train.tensors",
    "mnistsum_train.torchvision_import",
}
"""What the generic rooms may import beside themselves; none of it imports anything else of the project."""
LEVELS = {
    "mnistsum_runtime.__main__": 4,
    "mnistsum_runtime.commands": 4,
    "mnistsum_runtime.serve": 3.5,
    "mnistsum_runtime.batch": 3.5,
    "mnistsum_runtime.measure": 3,
    "mnistsum_runtime.explain": 1.5,
    "mnistsum_runtime.preparation": 1,
    "mnistsum_runtime.proof": 1,
}
"""Height of the runtime's rooms; the package itself is 2, and errors, contract and operations are its ground."""
GROUND = {"errors", "contract", "operations", "atomic", "terminal", "threads", "__init__"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the project's modules that a file imports, at its top or later; not for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node not in typing_only:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in submodules)
        elif isinstance(node, ast.Import) and node not in typing_only:
            yield from (alias.name for alias in node.names)


def of_the_project(path: Path) -> set[str]:
    return {name for name in imported(path) if name.split(".")[0] in PARTS}


@pytest.mark.parametrize("name", GENERIC)
def test_nothing_generic_imports_what_knows_a_digit(name: str) -> None:
    own = {other for other in of_the_project(MODULES[name]) if other.split(".")[1:2] != ["proof"]}
    assert own <= KNOWS_NO_DIGIT


@pytest.mark.parametrize("name", sorted(KNOWS_NO_DIGIT - {"mnistsum_runtime"}))
def test_what_the_generic_rooms_import_knows_no_digit_either(name: str) -> None:
    assert of_the_project(MODULES[name]) <= KNOWS_NO_DIGIT


@pytest.mark.parametrize("name", sorted(MODULES))
def test_parts_are_imported_one_way(name: str) -> None:
    order = list(PARTS)
    here = order.index(name.split(".", maxsplit=1)[0])
    assert all(order.index(other.split(".")[0]) <= here for other in of_the_project(MODULES[name]))


def level(name: str) -> float:
    room = ".".join(name.split(".")[:2])
    if room in LEVELS:
        return LEVELS[room]
    return 0 if name.rsplit(".", maxsplit=1)[-1] in GROUND or name == "mnistsum_runtime" else 2


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("mnistsum_runtime.")))
def test_rooms_of_the_runtime_are_imported_downwards(name: str) -> None:
    if name.endswith("__init__"):
        return
    above = {other for other in of_the_project(MODULES[name]) if level(other) > level(name)}
    assert not above


def test_no_two_modules_import_each_other() -> None:
    graph = {name: {other for other in of_the_project(path) if other in MODULES} for name, path in MODULES.items()}

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for other in graph[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        return seen

    assert [name for name in graph if name in reach(name)] == []


@pytest.mark.parametrize("part", PARTS)
def test_rooms_import_nothing_by_themselves(part: str) -> None:
    """An `__init__` that imports would cost every command that passes by."""
    folders = (ROOT / PARTS[part] / part).glob("*/__init__.py")
    assert all(not list(imported(path)) for path in folders)
