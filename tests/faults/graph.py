"""Changing a graph by hand: find a node, its weights, an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray


def node(model: ModelProto, kind: str, path: str = "") -> NodeProto:
    """The only node of an operator, of a submodule if `path` says so, with / between its parts."""
    found: list[NodeProto] = [
        one for one in model.graph.node if one.op_type == kind and one.name.startswith(f"/{path}")
    ]
    (only,) = found
    return only


def weight(model: ModelProto, name: str) -> NDArray[Any]:
    """A copy of an initializer."""
    (found,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    return np.array(numpy_helper.to_array(found))


def set_weight(model: ModelProto, name: str, array: NDArray[Any]) -> None:
    """Put other numbers, perhaps of another shape, in the place of an initializer."""
    (found,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    found.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))


def set_attribute(changed: NodeProto, name: str, value: object) -> None:
    """Give a node an attribute, in the place of the one that it has."""
    kept = [attribute for attribute in changed.attribute if attribute.name != name]
    del changed.attribute[:]
    changed.attribute.extend([*kept, helper.make_attribute(name, value)])


def insert(graph: GraphProto, before: NodeProto, *new: NodeProto) -> None:
    """Put nodes in front of another one: a graph lists its nodes in the order in which they can run."""
    nodes = list(graph.node)
    place = nodes.index(before)
    del graph.node[:]
    graph.node.extend([*nodes[:place], *new, *nodes[place:]])


def feed(user: NodeProto, old: str, new: str) -> None:
    """Let a node take one value instead of another."""
    for place, name in enumerate(user.input):
        if name == old:
            user.input[place] = new
