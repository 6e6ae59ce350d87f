"""What one process has attached, so that it can be undone."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from typing import NamedTuple

from skverdict.runtime.kernel.bpf import Bpf

#: `BPF_F_ALLOW_MULTI`: beside the programs that a cgroup has already.
ALLOW_MULTI = 2


class Place(NamedTuple):
    """Where a program is: the descriptor of a map or cgroup, and the kernel's number for the kind of place.

    A place of a map holds one program; of a cgroup many, so there `program` tells them apart.
    """

    target: int
    attach_type: int
    program: int | None = None


class _Held(NamedTuple):
    """The program at a place, and the link that holds it there; without one it stays until it is detached."""

    program: int
    link: int | None


class Attachments:
    """Attached programs, by descriptors. With `links`, they are gone at the latest when this process is.

    Kernels that have no link for a place get the older attach there, which is found out by asking for a
    link. Programs of socket maps go in any case when no process and no pin holds the map any more.
    """

    def __init__(self, bpf: Bpf, links: bool) -> None:
        self._bpf = bpf
        self._links = links
        self._held: dict[Place, _Held] = {}

    def attach_to_map(self, program: int, map_: int, attach_type: int) -> None:
        """Attach to a socket map, in place of the program that this object has there."""
        place = Place(map_, attach_type)
        held = self._held.get(place)
        if held is not None and held.link is not None:
            self._bpf.update_link(held.link, program)
            self._held[place] = _Held(program, held.link)
            return
        link = self._link(program, map_, attach_type) if self._links else None
        if link is None:
            self._bpf.attach(program, map_, attach_type)
        self._held[place] = _Held(program, link)

    def detach_from_map(self, program: int, map_: int, attach_type: int) -> None:
        """Detach from a socket map. ENOENT if another program or none is attached."""
        self._release(Place(map_, attach_type), program)

    def attach_to_cgroup(self, program: int, cgroup: int, attach_type: int) -> None:
        """Attach beside what the cgroup has. The descriptor of the cgroup must stay open until the detach.

        EINVAL if it is attached there already: so the kernel answers without links, which would let it run
        twice.
        """
        if Place(cgroup, attach_type, program) in self._held:
            raise OSError(errno.EINVAL, f"attach: {os.strerror(errno.EINVAL)}")
        link = self._link(program, cgroup, attach_type)
        if link is None:
            self._bpf.attach(program, cgroup, attach_type, ALLOW_MULTI)
        self._held[Place(cgroup, attach_type, program)] = _Held(program, link)

    def detach_from_cgroup(self, program: int, cgroup: int, attach_type: int) -> None:
        """Detach from a cgroup. ENOENT if it is not attached."""
        self._release(Place(cgroup, attach_type, program), program)

    def link_of(self, program: int, cgroup: int, attach_type: int) -> int | None:
        """The descriptor of the link that holds a program at a cgroup, if one does."""
        return self._held[Place(cgroup, attach_type, program)].link

    def close(self) -> None:
        """Detach everything that is still as this object left it."""
        with ExitStack() as steps:
            for place, held in self._held.items():
                steps.callback(self._withdraw, place, held.program)

    def _withdraw(self, place: Place, program: int) -> None:
        """Detach, unless someone else put another program there or the cgroup is gone."""
        try:
            self._release(place, program)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def forget(self) -> None:
        """Leave everything attached, as far as the kernel keeps it without this process."""
        self._held.clear()

    def _link(self, program: int, target: int, attach_type: int) -> int | None:
        """A link; None where the kernel has none for such a place."""
        try:
            return self._bpf.link(program, target, attach_type)
        except OSError as error:
            # Also the answer to a program of another kind, which the older attach then gets as well.
            if error.errno != errno.EINVAL:
                raise
            return None

    def _release(self, place: Place, program: int) -> None:
        held = self._held.get(place)
        if held is None or held.link is None:
            self._bpf.detach(program, place.target, place.attach_type)
        elif held.program != program:
            raise OSError(errno.ENOENT, f"detach: {os.strerror(errno.ENOENT)}")
        else:
            os.close(held.link)
        if held is not None and held.program == program:
            del self._held[place]
