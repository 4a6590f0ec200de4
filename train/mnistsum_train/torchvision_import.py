"""Import torchvision beside a torch build that it was not compiled for.

Every x86-64 torchvision wheel is compiled against the CUDA build of torch. Beside a CPU build its extension does not
load, and the import then dies with `operator torchvision::nms does not exist`, because Python code inside registers
fake kernels for operators that only the extension declares. The data sets need none of them. Declaring the two schemas
first lets the import pass. A matching pair imports plainly and never gets here.
"""

import torch


def import_torchvision() -> None:
    """Make `import torchvision` succeed in this process.

    Raises:
        RuntimeError: torchvision is broken in some other way.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare_operators()
        import torchvision  # noqa: F401


_library: torch.library.Library | None = None  # The schemas vanish with the object that declared them.


def _declare_operators() -> None:
    global _library  # noqa: PLW0603
    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
