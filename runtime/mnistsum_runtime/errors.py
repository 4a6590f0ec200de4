"""The errors that mnistsum raises on purpose. Each message is one line: what was found, expected, and what to do."""

from typing import Any

from mnistsum_runtime.terminal import one_line, shorten

_LONGEST = 2000
"""Characters of a message about a model; a path alone may have some hundred."""


class MnistsumError(Exception):
    """Base of all; `exit_code` is what a command ends with when the error ends it."""

    exit_code = 1


class PictureError(MnistsumError):
    """A picture that gives no answer."""

    def __init__(self, kind: str, message: str) -> None:
        """Keep the machine-readable kind beside the sentence.

        Args:
            kind: `not_found`, `not_readable`, `empty`, `not_a_picture`, `unsupported` (of a known format that this
                installation does not decode), `truncated`, `too_large`, `bad_array` or `no_digit`.
            message: One line for people.
        """
        super().__init__(message)
        self.kind = kind
        self.message = message

    def __reduce__(self) -> tuple[type, tuple[str, str], dict[str, Any]]:
        """To be sent to another process: the usual way would call it with the message alone."""
        return type(self), (self.kind, self.message), self.__dict__


class WorkError(MnistsumError):
    """The work itself failed: parity not reached, a file that cannot be written, data that cannot be had."""


class CallError(MnistsumError, ValueError):
    """The call was wrong: a number out of range, an unknown opset, an extra that is not installed."""

    exit_code = 2


class ModelError(MnistsumError):
    """The model file is missing, damaged, or does not carry the contract."""

    exit_code = 3

    def __init__(self, message: str) -> None:
        """Keep the message in one line: names that a file gives its parts may be megabytes of anything.

        Args:
            message: What is not printable in it is escaped, and of a very long one the middle is left out.
        """
        super().__init__(one_line(shorten(message, _LONGEST)))
