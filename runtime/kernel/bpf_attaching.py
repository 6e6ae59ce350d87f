"""Attaching, detaching and pinning, by descriptors."""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_size_t, c_uint32

from skverdict.runtime.kernel.bpf_calls import Calls

#: `BPF_F_REPLACE`: only in the place of a program that is named.
_REPLACE = 4


class _LinkUpdateOptions(ctypes.Structure):
    """The beginning of `struct bpf_link_update_opts`; `size` tells libbpf that it ends here."""

    _fields_ = (("size", c_size_t), ("flags", c_uint32), ("old_program", c_uint32))


class Attaching(Calls):
    """What binds programs to places, and gives things in the kernel a name."""

    def attach(self, program: int, target: int, attach_type: int, flags: int = 0) -> None:
        self._checked(self.library.bpf_prog_attach(program, target, attach_type, flags), "attach")

    def detach(self, program: int, target: int, attach_type: int) -> None:
        self._checked(self.library.bpf_prog_detach2(program, target, attach_type), "detach")

    def attached(self, target: int, attach_type: int, most: int = 64) -> list[int]:
        """The ids of the programs attached to a map or cgroup, `most` of them at most."""
        flags, count, ids = c_uint32(), c_uint32(most), (c_uint32 * most)()
        query = self.library.bpf_prog_query
        self._checked(query(target, attach_type, 0, byref(flags), ids, byref(count)), "query")
        return list(ids[: count.value])

    def link(self, program: int, target: int, attach_type: int) -> int:
        """Attach for as long as the descriptor that this gives, or a pin of it, is there. To be closed."""
        return self._checked(self.library.bpf_link_create(program, target, attach_type, None), "link")

    def update_link(self, link: int, program: int, old: int | None = None) -> None:
        """Let another program take the place of the link's, if that is `old` or `old` is None."""
        options = None
        if old is not None:
            options = byref(_LinkUpdateOptions(ctypes.sizeof(_LinkUpdateOptions), _REPLACE, old))
        self._checked(self.library.bpf_link_update(link, program, options), "link update")

    def detach_link(self, link: int) -> None:
        """Detach the link's program before the link is closed."""
        self._checked(self.library.bpf_link_detach(link), "link detach")

    def pin(self, descriptor: int, path: str) -> None:
        """Give a map, program or link a name in a BPF file system. EEXIST if the path is taken."""
        self._checked(self.library.bpf_obj_pin(descriptor, os.fsencode(path)), path)

    def pinned(self, path: str) -> int:
        """A new descriptor, to be closed, of what is pinned at `path`."""
        return self._checked(self.library.bpf_obj_get(os.fsencode(path)), path)
