"""What can be wrong beside the kernel's own answers, which are OSErrors with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from skverdict.runtime.machine.errno import Errno, KernelError

NO_HINTS: Mapping[Errno, str] = MappingProxyType({})


class KernelUnavailable(Exception):
    """Something that the kernel backend needs is not on this machine; says what, and how to see or get it."""


class KernelUseError(Exception):
    """The kernel backend was asked for what is not there: an unknown name, an unknown kind of socket."""


@contextmanager
def refusals(what: str, hints: Mapping[Errno, str] = NO_HINTS) -> Iterator[None]:
    """Turn the kernel's OSErrors into KernelErrors that name what was asked. `hints` say more of some."""
    try:
        yield
    except KernelError:
        raise
    except OSError as error:
        number = error.errno
        if number is None or number not in Errno._value2member_map_:
            raise
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        hint = hints.get(Errno(number), "")
        raise KernelError(Errno(number), f"{what}: {reason}{hint and '; '}{hint}") from None
