"""What one process has attached, so that it can be undone."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from typing import NamedTuple

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.ledger import Ledger
from skverdict.runtime.kernel.place import Place

#: `BPF_F_ALLOW_MULTI`: beside the programs that a cgroup has already.
ALLOW_MULTI = 2


class _Held(NamedTuple):
    """The program at a place, and the link that holds it there; without one it stays until it is detached."""

    program: int
    link: int | None


class Attachments:
    """Attached programs, by descriptors. With `links`, they are gone at the latest when this process is, or
    stay as long as what `ledger` pins of them.

    Kernels that have no link for a place get the older attach there, which is found out by asking for a
    link. Programs of socket maps go in any case when no process and no pin holds the map any more.
    """

    def __init__(self, bpf: Bpf, links: bool, ledger: Ledger | None = None) -> None:
        self._bpf = bpf
        self._links = links
        self._ledger = ledger
        self._held: dict[Place, _Held] = {}

    def attach_to_map(self, program: int, map_: int, attach_type: int) -> None:
        """Attach to a socket map, in place of the program that this object has there."""
        place = Place(map_, attach_type)
        held = self._held.get(place)
        if held is not None and held.link is not None:
            self._bpf.update_link(held.link, program)
            self._held[place] = _Held(program, held.link)
            return
        self._held[place] = _Held(program, self._attached(place, program, self._links))

    def detach_from_map(self, program: int, map_: int, attach_type: int) -> None:
        """Detach from a socket map. ENOENT if another program or none is attached."""
        self._release(Place(map_, attach_type), program)

    def attach_to_cgroup(self, program: int, cgroup: int, attach_type: int) -> None:
        """Attach beside what the cgroup has. The descriptor of the cgroup must stay open until the detach.

        EINVAL if it is attached there already: so the kernel answers without links, which would let it run
        twice.
        """
        place = Place(cgroup, attach_type, program)
        if place in self._held:
            raise OSError(errno.EINVAL, f"attach: {os.strerror(errno.EINVAL)}")
        self._held[place] = _Held(program, self._attached(place, program, True, ALLOW_MULTI))

    def detach_from_cgroup(self, program: int, cgroup: int, attach_type: int) -> None:
        """Detach from a cgroup. ENOENT if it is not attached."""
        self._release(Place(cgroup, attach_type, program), program)

    def close(self) -> None:
        """Detach everything that is still as this object left it."""
        with ExitStack() as steps:
            for place, held in self._held.items():
                steps.callback(self._withdraw, place, held.program)

    def _withdraw(self, place: Place, program: int) -> None:
        """Detach, unless someone else put another program there, a link keeps it there (EBUSY), or the cgroup is
        gone."""
        try:
            self._release(place, program)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EBUSY, errno.ENODEV):
                raise

    def forget(self) -> None:
        """Leave everything attached, as far as the kernel keeps it without this process: what is not linked,
        or by a link that is pinned."""
        for held in self._held.values():
            if held.link is not None:
                os.close(held.link)
        self._held.clear()

    def _attached(self, place: Place, program: int, links: bool, flags: int = 0) -> int | None:
        """Attach, by a link if that is wanted and there is one for such a place: its descriptor, or None."""
        link = self._link(program, place.target, place.attach_type) if links else None
        if link is None:
            if self._ledger is not None:
                self._ledger.attaching(place, program)
            self._bpf.attach(program, place.target, place.attach_type, flags)
        elif self._ledger is not None:
            try:
                self._ledger.linked(place, program, link)
            except BaseException:
                os.close(link)
                raise
        return link

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
