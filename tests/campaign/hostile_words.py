"""Model files whose metadata, names or structure are damaged or meant to deceive."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from campaign.hostile import Change, Fate, Hostile, add_to_digit, constant, metadata, node
from tiny_model import make_tiny_model

ESCAPE = "\x1b[2J\x1b[1;1H\nverified\n"
_DEEP = "[" * 200_000


def _said(**values: str | None) -> Change:
    return lambda model: metadata(model, **values)


def _key_twice(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key="mnistsum.digit_temperature", value="nan")


def _raw(old: bytes, new: bytes) -> bytes:
    """The tiny model with bytes replaced by as many others."""
    content = bytes(make_tiny_model().SerializeToString())
    assert old in content
    assert len(old) == len(new)
    return content.replace(old, new)


def _renamed(what: str, name: str) -> Change:
    """An input or output, or a node, called something else wherever it stands."""

    def change(model: onnx.ModelProto) -> None:
        if what == "node":
            model.graph.node[0].name = name
            return
        what_now = "probability" if what == "inner" else what
        for value in (*model.graph.input, *model.graph.output):
            value.name = name if value.name == what_now else value.name
        for each in model.graph.node:
            each.input[:] = [name if given == what_now else given for given in each.input]
            each.output[:] = [name if made == what_now else made for made in each.output]

    return change


def _fixed_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 3


def _shape(value: str, dims: list[int | str] | None, kind: int = TensorProto.FLOAT) -> Change:
    def change(model: onnx.ModelProto) -> None:
        for each in (*model.graph.input, *model.graph.output):
            if each.name == value:
                each.CopyFrom(helper.make_tensor_value_info(value, kind, dims))

    return change


def _more(which: str) -> Change:
    """An input or output more."""

    def change(model: onnx.ModelProto) -> None:
        extra = helper.make_tensor_value_info("extra", TensorProto.FLOAT, ["batch", 2])
        if which == "input":
            model.graph.input.append(extra)
        else:
            model.graph.output.append(helper.make_tensor_value_info("value", TensorProto.FLOAT, None))

    return change


def _less(field: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        if field == "graph":
            model.ClearField("graph")
        elif field == "opset_import":
            del model.opset_import[:]
        elif field == "input":
            del model.graph.input[1:]
        else:
            model.graph.ClearField(field)

    return change


def _versions(ir: int | None = None, opset: int | None = None, domain: str | None = None) -> Change:
    def change(model: onnx.ModelProto) -> None:
        if ir is not None:
            model.ir_version = ir
        if opset is not None:
            model.opset_import[0].version = opset
        if domain is not None:
            model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


def _operator(name: str, domain: str = "", inputs: tuple[str, ...] = ("image",)) -> Change:
    def change(model: onnx.ModelProto) -> None:
        node(model, name, list(inputs), ["large"], domain=domain)
        add_to_digit(model, "large")

    return change


def _cycle(model: onnx.ModelProto) -> None:
    node(model, "Add", ["image", "b"], ["a"])
    node(model, "Relu", ["a"], ["b"])
    add_to_digit(model, "b")


def _itself(model: onnx.ModelProto) -> None:
    node(model, "Add", ["image", "a"], ["a"])
    add_to_digit(model, "a")


def _twice(model: onnx.ModelProto) -> None:
    model.graph.node.append(model.graph.node[1])


def _same_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(model.graph.output[0])


def _same_node_names(model: onnx.ModelProto) -> None:
    for each in model.graph.node:
        each.name = "same"


def _weights(length: int | None = None, dims: list[int] | None = None, kind: int | None = None) -> Change:
    """The largest tensor with other data, dimensions or type than it says."""

    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        if length is not None:
            tensor.raw_data = tensor.raw_data[:length]
        if dims is not None:
            tensor.dims[:] = dims
        if kind is not None:
            tensor.data_type = kind

    return change


def _nan_weights(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(np.full((784, 10), np.nan, np.float32), tensor.name))


def _over_an_input(model: onnx.ModelProto) -> None:
    """A tensor of the name of an input: older files give an input its default so."""
    constant(model, "number", [[1] + [0] * 9], np.float32)


def _external(location: str | None, **more: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in ({} if location is None else {"location": location}).items() | more.items():
            tensor.external_data.add(key=key, value=value)

    return change


def _nested(depth: int) -> bytes:
    """Graphs in attributes of nodes of graphs, deeper than the onnx package writes."""
    content = b""
    for _ in range(depth):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # a graph in an attribute in a node
            content = field + _varint(len(content)) + content
    return b"\x3a" + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def _attribute(operator: str, **given: object) -> Change:
    def change(model: onnx.ModelProto) -> None:
        constant(model, "kernel", np.ones((1, 1, 3, 3)), np.float32)
        inputs = ["image", "kernel"] if operator == "Conv" else ["image"]
        node(model, operator, inputs, ["large"], **given)
        add_to_digit(model, "large")

    return change


_TEMPERATURES = ("nan", "0", "-1", "inf", "1e-320", "1e300", "", "one", "1e", "0x1p3", "1\0", "9" * 5000, ESCAPE)
_WEIGHTS_FILE = {"weights.bin": np.ones((784, 10), np.float32).tobytes()}
GRAPHS = (
    *(Hostile(f"temperature {text[:9]!a}", _said(digit_temperature=text)) for text in _TEMPERATURES),
    *(Hostile(f"limit {text!a}", _said(least_confidence=text)) for text in ("7", "nan", "-1", "x", "[]")),
    Hostile("a temperature missing", _said(value_temperature=None)),
    Hostile("a key twice", _key_twice, Fate.EITHER),
    *(
        Hostile(f"operation {text[:9]!a}", _said(operation=text))
        for text in ("", "difference", ESCAPE, "sum\0", "product")
    ),
    *(
        Hostile(f"classes {text[:9]!a}", _said(classes=text))
        for text in ("", "[]", "[0, 1]", "{}", _DEEP, "[NaN]", ESCAPE)
    ),
    Hostile("classes of a megabyte", _said(classes="[" + "0, " * 300_000 + "0]")),
    *(Hostile(f"no {key}", _said(**{key: None})) for key in ("classes", "opset", "parity", "checkpoint_sha256")),
    *(Hostile(f"precision {text[:9]!a}", _said(precision=text), Fate.EITHER) for text in ("fp7", ESCAPE, "", "int8")),
    Hostile("nested metadata", _said(versions=_DEEP, accuracy=_DEEP, parity=_DEEP), Fate.EITHER),
    Hostile("metadata of 20 MB", _said(input="x" * 20_000_000), Fate.EITHER),
    Hostile("metadata with escapes", _said(input=ESCAPE, versions=ESCAPE), Fate.EITHER),
    Hostile("metadata of 20,000 entries", _said(**{f"n{at}": "x" for at in range(20_000)}), Fate.EITHER),
    Hostile(
        "a value that is no text", None, content=_raw(b"mnistsum.opset\x12\x0217", b"mnistsum.opset\x12\x02\xff\xfe")
    ),
    Hostile("a key that is no text", None, content=_raw(b"mnistsum.input", b"mnistsum.\xff\xfeput")),
    Hostile(
        "a name that is no text",
        None,
        content=_raw(b"probability_column", b"probability_colu\xff\xfe"),
        fate=Fate.EITHER,
    ),
    Hostile("an input that is no text", None, content=_raw(b"image", b"im\xffge")),
    Hostile("an output that is no text", None, content=_raw(b"digit", b"d\xffgit")),
    Hostile("a node's name with escapes", _renamed("node", ESCAPE), Fate.EITHER),
    Hostile("an inner name with escapes", _renamed("inner", ESCAPE), Fate.EITHER),
    Hostile("an input's name with escapes", _renamed("image", ESCAPE)),
    Hostile("an output's name with escapes", _renamed("digit", ESCAPE)),
    Hostile("an output without a name", _renamed("digit", "")),
    Hostile("a name of 5 MB", _renamed("inner", "x" * 5_000_000), Fate.EITHER),
    Hostile("an input's name of 5 MB", _renamed("image", "x" * 5_000_000)),
    Hostile("a fixed batch", _fixed_batch),
    Hostile("an input of another shape", _shape("image", ["batch", 1, 29, 28])),
    Hostile("an input without a shape", _shape("image", None)),
    Hostile("an input without axes", _shape("image", [])),
    Hostile("an input of doubles", _shape("image", ["batch", 1, 28, 28], TensorProto.DOUBLE)),
    Hostile("an output without a shape", _shape("digit", None), Fate.EITHER),
    Hostile("an output of another width", _shape("digit", ["batch", 11]), Fate.EITHER),
    Hostile("an output of negative width", _shape("digit", ["batch", -10])),
    Hostile("an input more", _more("input")),
    Hostile("an output more", _more("output")),
    *(
        Hostile(f"no {field}", _less(field))
        for field in ("graph", "output", "node", "initializer", "input", "opset_import")
    ),
    Hostile("no name of the graph", _less("name"), Fate.EITHER),
    *(Hostile(f"IR version {ir}", _versions(ir=ir), Fate.EITHER) for ir in (0, 1, 99, -1, 2**40)),
    *(Hostile(f"opset {opset}", _versions(opset=opset)) for opset in (0, 1, 99, -1, 2**40)),
    Hostile("a domain that nobody uses", _versions(domain="nobody"), Fate.EITHER),
    Hostile("a domain with escapes", _versions(domain=ESCAPE), Fate.EITHER),
    Hostile("an unknown operator", _operator("Explode")),
    Hostile("an operator with escapes", _operator(ESCAPE)),
    Hostile("an unknown domain", _operator("Relu", "nobody")),
    Hostile("an operator without inputs", _operator("Add", inputs=())),
    Hostile("an operator with too many inputs", _operator("Relu", inputs=("image", "image", "image"))),
    Hostile("an input that nothing makes", _operator("Relu", inputs=("nothing",))),
    Hostile("a cycle", _cycle),
    Hostile("a node that needs itself", _itself),
    Hostile("a name made twice", _twice),
    Hostile("an output twice", _same_output),
    Hostile("nodes of one name", _same_node_names, Fate.EITHER),
    *(Hostile(f"weights of {length} bytes", _weights(length=length)) for length in (0, 100, 31_359)),
    *(Hostile(f"weights {dims}", _weights(dims=dims)) for dims in ([784, 9], [-784, 10], [10, 784], [2**40, 10], [])),
    *(Hostile(f"weights of type {kind}", _weights(kind=kind)) for kind in (0, 7, 8, 99, -1)),
    Hostile("weights that are no numbers", _nan_weights),
    Hostile("a tensor of an input's name", _over_an_input, Fate.EITHER),
    Hostile("weights in another file", _external("weights.bin"), beside=_WEIGHTS_FILE),
    Hostile("weights in a file of the folder above", _external("../weights.bin"), beside=_WEIGHTS_FILE),
    Hostile("weights in a file of the system", _external("/etc/passwd")),
    Hostile("weights nowhere", _external(None)),
    Hostile("weights in an endless file", _external("/dev/zero", offset="0", length="9" * 30)),
    Hostile("weights in memory", _external("*/_ORT_MEM_ADDR_/*", offset="4096", length="31360")),
    Hostile("weights far behind", _external("weights.bin", offset="-1", length="31360"), beside=_WEIGHTS_FILE),
    Hostile("a convolution with huge pads", _attribute("Conv", pads=[2**31] * 4), Fate.PROCESS),
    Hostile("a convolution with negative pads", _attribute("Conv", pads=[-20] * 4)),
    Hostile("a convolution without strides", _attribute("Conv", strides=[0, 0]), Fate.PROCESS),
    Hostile("a convolution in no groups", _attribute("Conv", group=0), Fate.PROCESS),
    Hostile("a pool of nothing", _attribute("MaxPool", kernel_shape=[0, 0]), Fate.PROCESS),
    Hostile("a pool of text", _attribute("MaxPool", kernel_shape="all")),
    Hostile("a turn of axes that are not there", _attribute("Transpose", perm=[0, 1, 2, 7])),
    Hostile("an empty file", None, content=b""),
    Hostile("a null byte", None, content=b"\0"),
    Hostile("text", None, content=b"not a model\n"),
    Hostile("a length that is too large", None, content=b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    Hostile("groups within groups", None, content=b"\x3b" * 100_000),
    *(Hostile(f"graphs {depth} deep in graphs", None, content=_nested(depth)) for depth in (40, 2000)),
)
"""All of them are a change of a few bytes."""
