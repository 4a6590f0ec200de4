"""How a process died, from its exit code: of a signal, or as Windows says it."""

import signal

_MEANING = {"SIGILL": "an illegal instruction", "SIGSEGV": "a memory fault", "SIGKILL": "too little memory"}
_WINDOWS = {0xC000001D: "an illegal instruction", 0xC0000005: "a memory fault", 0xC0000017: "too little memory"}
_LARGEST = 255
"""Of the codes with which a program ends by itself."""


def describe_death(code: int) -> str | None:
    """What a process died of: `an illegal instruction (SIGILL)`; None if it ended by itself.

    Args:
        code: As `subprocess` returns it, on POSIX systems the negative number of a signal.
    """
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{_MEANING[name]} ({name})" if name in _MEANING else name
    if code > _LARGEST:
        return f"{_WINDOWS[code]} ({code:#X})" if code in _WINDOWS else f"code {code:#X}"
    return None
