"""Programs at socket maps: attached, which anybody may replace, or held by a link.

The rules are those of `sock_map_prog_update` and its callers (net/core/sock_map.c, Linux 6.12 and 7.2), behind what
`bpf_prog_attach`, `link_create` and `link_update` look at first (kernel/bpf/syscall.c).
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.sockmap import SocketMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from skverdict.runtime.sockets.kernel import Kernel
    from skverdict.runtime.sockets.program import Program

#: Verdicts on what arrives, of which a map has one kind: each with the other.
_OTHER_VERDICT = {"stream_verdict": "skb_verdict", "skb_verdict": "stream_verdict"}


def check_type(program: Program, place: str) -> None:
    """Raise KernelError EINVAL for a program of another type than `place` is for."""
    if PROGRAMS[program.kind].prog_type != PROGRAMS[place].prog_type:
        raise KernelError(Errno.EINVAL, f"{program.name} is a {program.kind} program, not a {place}")


def attach(kernel: Kernel, map_: Map, place: str, program: Program) -> None:
    """Put `program` at `place` of the map, instead of what is there.

    Raises KernelError: EINVAL for a program of another type and, on Linux 7.2, a parser that may change the packet;
    EOPNOTSUPP for a map that takes no programs; EBUSY beside a verdict of the other kind, and where a link is.
    """
    check_type(program, place)
    if not isinstance(map_, SocketMap):
        raise KernelError(Errno.EOPNOTSUPP, f"map {map_.name} takes no programs")
    _put(kernel, map_, place, program)


def detach(kernel: Kernel, map_: Map, place: str, program: Program) -> None:
    """Take `program` away from `place`. Raises KernelError as `attach`, and ENOENT if it is not there."""
    check_type(program, place)
    if not isinstance(map_, SocketMap):
        raise KernelError(Errno.EOPNOTSUPP, f"map {map_.name} takes no programs")
    _check_other_verdict(map_, place)
    _check_not_linked(map_, place)
    if getattr(map_.programs, place) is not program:
        raise KernelError(Errno.ENOENT, f"{program.name} is not attached to {map_.name}")
    setattr(map_.programs, place, None)
    kernel.changed(map_.name, f"{place} {program.name} detached")


def _put(kernel: Kernel, map_: SocketMap, place: str, program: Program) -> None:
    _check_other_verdict(map_, place)
    _check_parser(kernel, place, program)
    _check_not_linked(map_, place)
    setattr(map_.programs, place, program)
    kernel.changed(map_.name, f"{place} {program.name} attached")


def _check_other_verdict(map_: SocketMap, place: str) -> None:
    other = _OTHER_VERDICT.get(place)
    if other is not None and getattr(map_.programs, other) is not None:
        raise KernelError(Errno.EBUSY, f"map {map_.name} has a {other}")


def _check_parser(kernel: Kernel, place: str, program: Program) -> None:
    if place == "stream_parser" and program.changes_packet and kernel.settings.kernel == "7.2":
        raise KernelError(Errno.EINVAL, f"parser {program.name} calls what may change the packet")


def _check_not_linked(map_: SocketMap, place: str) -> None:
    if place in map_.links:
        raise KernelError(Errno.EBUSY, f"a link holds the {place} of map {map_.name}")


class Link:
    """Holds a program in its place at a socket map; while it does, nobody else can attach or detach there.

    To be closed, best by `with`: the program is detached then, and sockets that inherited it keep it.
    """

    def __init__(
        self, kernel: Kernel, map_: Map, place: str, program: Program, named: Callable[[str], Program]
    ) -> None:
        """Put `program` at `place`, instead of one that no link holds. `named` gives programs by name.

        Raises KernelError: EINVAL on Linux 6.1, which has no such links, for a program of another type, for a map that
        takes no programs, and on Linux 7.2 for a parser that may change the packet; EBUSY beside a verdict of the other
        kind, and where a link is.
        """
        if kernel.settings.kernel == "6.1":
            raise KernelError(Errno.EINVAL, "Linux 6.1 has no links on socket maps")
        check_type(program, place)
        if not isinstance(map_, SocketMap):
            raise KernelError(Errno.EINVAL, f"map {map_.name} takes no programs")
        _put(kernel, map_, place, program)
        self._kernel = kernel
        self._map = map_
        self._place = place
        self._program = program
        self._named = named
        self._open = True
        map_.links[place] = self

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def update(self, program: str, old: str | None = None) -> None:
        """Let the program of that name take the place of the link's.

        Raises KernelError: EPERM if `old` is given and is not the link's program, EINVAL for a program of another kind
        than the link's and, on Linux 7.2, for a parser that may change the packet, ENOLINK if the link is detached,
        EBADF if it is closed.
        """
        new, expected = self._named(program), None if old is None else self._named(old)
        self._check_open()
        if expected is not None and expected is not self._program:
            raise KernelError(Errno.EPERM, f"the link holds {self._program.name}, not {expected.name}")
        if new.kind != self._program.kind:
            raise KernelError(Errno.EINVAL, f"the link is for {self._program.kind} programs, not for {new.kind}")
        _check_parser(self._kernel, self._place, new)
        if not self._holds:
            raise KernelError(Errno.ENOLINK, f"the link at map {self._map.name} is detached")
        setattr(self._map.programs, self._place, new)
        self._kernel.changed(self._map.name, f"{self._place} {new.name} instead of {self._program.name}")
        self._program = new

    def detach(self) -> None:
        """Detach the program; twice is once. The link holds nothing from then on. Raises KernelError EBADF if it is
        closed."""
        self._check_open()
        self._release()

    def close(self) -> None:
        """Detach the program if that has not been done, and forget the link; twice is once."""
        self._release()
        self._open = False

    @property
    def _holds(self) -> bool:
        return self._map.links.get(self._place) is self

    def _check_open(self) -> None:
        if not self._open:
            raise KernelError(Errno.EBADF, "the link is closed")

    def _release(self) -> None:
        if self._holds:
            del self._map.links[self._place]
            setattr(self._map.programs, self._place, None)
            self._kernel.changed(self._map.name, f"{self._place} {self._program.name} detached with its link")
