"""How often a JPEG makes its decoder go over all pixels; imported only where a look at the bytes leaves that open."""

import re

_START_OF_SCAN, _END = 0xDA, 0xD9
_PARTS_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""In a scan, 0xFF is followed by 0 where it is a value, and by 0xD0 to 0xD7 at a restart."""


def has_more_scans(content: bytes, most: int) -> bool:
    """Whether a JPEG's first picture has more than `most` scans.

    What follows its end is not looked at: a film, a second picture, where the bytes of a scan's marker may stand too.

    Reference: ITU-T T.81, B.1.1.
    """
    scans = 0
    found = _MARKER.search(content)
    while found is not None:
        kind, place = found[1][0], found.end()
        if kind == _END:
            return False
        if kind == _START_OF_SCAN:
            scans += 1
            if scans > most:
                return True
        if kind not in _PARTS_WITHOUT_LENGTH:
            place += max(2, int.from_bytes(content[place : place + 2], "big"))
        found = _MARKER.search(content, place)
    return False
