"""What programs decide, in the kernel's terms."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skverdict.runtime.sockets.sock import Sock

SK_DROP = 0
SK_PASS = 1


class Verdict(IntEnum):
    """What happens to bytes (`enum __sk_action`)."""

    DROP = 0
    PASS = 1
    REDIRECT = 2
    NONE = 3

    @property
    def word(self) -> str:
        """Its name in traces."""
        return _WORDS[self]


_WORDS = {verdict: verdict.name.lower() for verdict in Verdict}


def verdict_of(result: int, target: Sock | None) -> Verdict:
    """Programs return SK_PASS or drop; a redirect that was set counts only with SK_PASS."""
    if result != SK_PASS:
        return Verdict.DROP
    return Verdict.PASS if target is None else Verdict.REDIRECT
