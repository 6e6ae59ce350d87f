"""Redirects that native code has only noted."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_CALL = struct.Struct("=QQ")
_LOW = 0xFFFFFFFF


class Noted(NamedTuple):
    """A redirect that a run asked for: the place of the entry (`SocketMap.target`), the flags, and what the helper
    gave."""

    place: int
    flags: int
    gave: int


def noted(calls: bytes) -> Sequence[Noted]:
    """The redirects in rows of `layout`."""
    return tuple(Noted(call & _LOW, result >> 32, result & _LOW) for call, result in _CALL.iter_unpack(calls))
