"""Data only: the shipped models and their references. `mnistsum_runtime.model.shipped_model` finds them."""
