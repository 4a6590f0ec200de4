"""References and their verification, for any network: knows numpy and onnxruntime, and no digit."""
