import onnx
from onnx import numpy_helper

model = onnx.load("mobilenet.onnx")
weight = next(tensor for tensor in model.graph.initializer if tensor.name == "features.11.block.2.fc2.weight")
values = numpy_helper.to_array(weight).copy()
values.flat[0] += 0.1
weight.CopyFrom(numpy_helper.from_array(values, weight.name))
onnx.save(model, "spoiled.onnx")
