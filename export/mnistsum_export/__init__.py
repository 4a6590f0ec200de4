"""Turn a checkpoint into an ONNX file, and prove on the bytes that ship that it answers as torch does."""
