"""A graph without what is not the graph: notes of whoever made it, and versions above what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import helper


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph, and of the branches and loops in them."""
    for inner in all_graphs(graph):
        yield from inner.node


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph, and the bodies of its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from all_graphs(inner)


def without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that computes the same: no doc strings, no metadata of nodes and values, the lowest IR version.

    Exporters leave paths of source files there. The metadata of the model itself stays: what its maker says of it.
    """
    tidy = onnx.ModelProto()
    tidy.CopyFrom(model)
    tidy.doc_string = ""
    for graph in all_graphs(tidy.graph):
        graph.doc_string = ""
        del graph.metadata_props[:], graph.value_info[:]  # types of values between, which onnx infers anew
        for values in (graph.node, graph.input, graph.output, graph.initializer):
            for value in values:
                value.doc_string = ""
                del value.metadata_props[:]
    return _with_needed_versions(tidy)


def _with_needed_versions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Import the opsets whose operators are there, and no others; `ai.onnx` is another name of the standard one."""
    used = {"" if node.domain == "ai.onnx" else node.domain for node in all_nodes(model.graph)} | {""}
    used |= {node.domain for function in model.functions for node in function.node}
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    for node in all_nodes(model.graph):
        if node.domain == "ai.onnx":
            node.domain = ""
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, versions[domain]) for domain in sorted(used & set(versions)))
    if [entry.domain for entry in model.opset_import] == [""]:
        model.ir_version = helper.find_min_ir_version_for(model.opset_import)
    return model


def standard_opset(model: onnx.ModelProto) -> int | None:
    """The version of the standard operators that a model imports; None where it imports none."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
