"""One page that reads digits by itself: model, references and onnxruntime in a single file."""
