"""From any torch module to ONNX bytes that are proven to answer as it does: knows no digit."""
