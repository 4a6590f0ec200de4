"""Turn a PyTorch network into an ONNX file, and prove on the bytes that ship that it answers as torch does."""

from typing import TYPE_CHECKING

__all__ = ["Proof", "prove"]

if TYPE_CHECKING:
    from mnistsum_export.proof.prove import Proof, prove


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562): the command then tells a missing extra in one line."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mnistsum_export.proof import prove

    return getattr(prove, name)
