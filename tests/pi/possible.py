"""Whether Debian systems can be made and run here: told at once, before anything is installed for it.

Usage: python -m pi.possible (with tests/ on PYTHONPATH; the standard library is enough)
"""

import os
import platform
import shutil
import sys

_KERNEL = (6, 7)
"""The first Linux in which an emulator can be registered in a namespace, and not for the whole machine."""


def what_is_missing() -> list[str]:
    """What this machine lacks, in words."""
    missing = []
    if not shutil.which("apt-get"):
        missing.append("Debian's apt-get")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        missing.append("root")
    release = platform.release().split(".")
    if platform.system() != "Linux" or tuple(int(part) for part in release[:2] if part.isdecimal()) < _KERNEL:
        missing.append(f"Linux {'.'.join(map(str, _KERNEL))} or later")
    return missing


def main() -> None:
    """Exit code 1 and one line if it is not possible."""
    missing = what_is_missing()
    if missing:
        sys.exit(f"emulated boards need Debian, root and Linux 6.7; missing here: {', '.join(missing)}")


if __name__ == "__main__":
    main()
