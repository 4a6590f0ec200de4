"""Data only: the shipped model. Its path comes from `importlib.resources`, in a wheel and in a checkout alike."""
