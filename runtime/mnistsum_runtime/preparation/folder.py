"""Which files in a folder are pictures to be read: by their names, and by what they are."""

import os
import stat

from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.preparation.picture import SUFFIXES


def is_called_picture(name: str) -> bool:
    """Whether a file's name ends as a picture's."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def regular_file(path: str) -> str | PictureError | None:
    """A file that was found in a folder: its path, or why it is not read; None if it is a folder.

    Nobody named it, so that a pipe, which would be waited for, is none.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:  # a link that leads nowhere, or to itself
        return PictureError("not_readable", f"{path}: cannot be read: {error.strerror or error}")
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return PictureError("not_readable", f"{path}: cannot be read: a pipe or a device, not a file")
    return path
