"""What each check said of each planted fault: the values of artifacts/faults.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faults.faults import names_submodule

REFUSED, WARNED, PASSED, IMPOSSIBLE = "refused", "warned", "passed", "not possible"
PROVE, VERIFY, ASSERT, POLYGRAPHY = "prove", "verify", "assert_onnx_program", "polygraphy"
CHECKS = (PROVE, VERIFY, ASSERT, POLYGRAPHY)
LONGEST_LINE = 400


@dataclass(frozen=True)
class Result:
    """What one check said of one fault."""

    status: str
    """`refused`, it raised, or its exit code is not 0; `warned`, it printed that something is wrong, and gave the file
    all the same; `passed`; or `not possible`, it cannot be asked."""
    line: str = ""
    """What it said, shortened."""


@dataclass(frozen=True)
class Row:
    """One fault."""

    name: str
    what: str
    where: str
    """`module` or `graph`."""
    blamed: str | None
    results: Mapping[str, Result]
    """By check."""

    @property
    def named(self) -> bool | None:
        """Whether `prove` names the submodule that is to blame; None where none is."""
        return None if self.blamed is None else names_submodule(self.results[PROVE].line, self.blamed)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"named": self.named}


def find_problems(faults: Sequence[Row], sound: Sequence[Row]) -> list[str]:
    """What `prove` let through, blamed on another submodule, or refused although it is sound; a line each."""
    twins = {row.name: row.results[PROVE] for row in sound}
    problems = [f"{name}, sound: {result.line}" for name, result in twins.items() if result.status != PASSED]
    for row in faults:
        result = row.results[PROVE]
        if result.status != REFUSED:
            problems.append(f"{row.name}: {result.status}")
        elif row.named is False:
            problems.append(f"{row.name}: {row.blamed} is not named: {result.line}")
    return problems


def shortened(text: str) -> str:
    """In one line of at most `LONGEST_LINE` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 4]} ..."
