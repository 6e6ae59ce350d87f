"""The kernel's BPF operations as Python calls on descriptors and bytes.

Every method raises OSError with the kernel's number where the kernel refuses. Handles of objects, maps and
programs are libbpf's pointers; descriptors belong to their object and are closed with it, unless said
otherwise.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from skverdict.runtime.kernel.bpf_attaching import Attaching
from skverdict.runtime.kernel.bpf_buffers import Buffers
from skverdict.runtime.kernel.bpf_elements import Elements
from skverdict.runtime.kernel.bpf_inspection import Inspection
from skverdict.runtime.kernel.bpf_making import Making
from skverdict.runtime.kernel.bpf_objects import Objects


class Bpf(Objects, Elements, Buffers, Making, Attaching, Inspection):
    """BPF by way of `library`."""

    def gathered(self) -> AbstractContextManager[list[str]]:
        """What libbpf prints meanwhile."""
        return self.library.gathered()

    @property
    def cpus(self) -> int:
        """How many CPUs this machine can have: per-CPU maps have a value for each."""
        return self._checked(self.library.libbpf_num_possible_cpus(), "number of CPUs")
