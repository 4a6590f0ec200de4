"""All planted faults, and whether a line names the submodule that is to blame."""

from __future__ import annotations

import re

from faults import in_graph, in_module
from faults.fault import Fault

FAULTS: list[Fault] = [*in_module.FAULTS, *in_graph.FAULTS]
BY_NAME: dict[str, Fault] = {fault.name: fault for fault in FAULTS}
SOUND: dict[str, Fault] = {twin.name: twin for twin in in_graph.SOUND}
"""Every network in whose graph a fault is planted, with its graph as it was converted."""


def names_submodule(line: str, path: str) -> bool:
    """Whether a line names a submodule: with its class, `block.mix (Linear)`, or by a node of it, `/block/mix/Add`."""
    parts = re.escape(path.replace(".", "/"))
    return re.search(rf"(^|\s){re.escape(path)} \(|(?<!\w)/{parts}/", line) is not None
