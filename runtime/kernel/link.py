"""A link that holds a program at a socket map, with the interface of the simulator's."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.errors import refusals

#: What the kernel takes for no descriptor.
_CLOSED = -1


class KernelLink:
    """Holds a program in its place at a socket map; while it does, nobody else can attach or detach there.

    To be closed, best by `with`: the program is detached then, and sockets that inherited it keep it. It is also
    when the process ends. `descriptor` is the link's, and `named` gives the descriptors of programs by name.
    """

    def __init__(self, bpf: Bpf, descriptor: int, map_name: str, named: Callable[[str], int]) -> None:
        self._bpf = bpf
        self.descriptor = descriptor
        self._map_name = map_name
        self._named = named

    def __enter__(self) -> KernelLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def update(self, program: str, old: str | None = None) -> None:
        """Let the program of that name take the place of the link's.

        Raises OSError: EPERM if `old` is given and is not the link's program, EINVAL for a program of another kind
        than the link's and, on Linux 7.2, for a parser that may change the packet, ENOLINK if the link is detached,
        EBADF if it is closed.
        """
        new, expected = self._named(program), None if old is None else self._named(old)
        with refusals(f"{program} by the link at map {self._map_name}"):
            self._bpf.update_link(self.descriptor, new, expected)

    def detach(self) -> None:
        """Detach the program; twice is once. The link holds nothing from then on. Raises OSError EBADF if it is
        closed."""
        with refusals(f"the link at map {self._map_name}"):
            self._bpf.detach_link(self.descriptor)

    def close(self) -> None:
        """Detach the program if that has not been done, and forget the link; twice is once."""
        descriptor, self.descriptor = self.descriptor, _CLOSED
        if descriptor != _CLOSED:
            os.close(descriptor)
