"""Since which of KERNELS an instruction is known (kernel/bpf/core.c and verifier.c).

Linux 6.6 brought signed division, moves and loads, byte swaps and far jumps, 6.9 may_goto and address spaces, 6.15
ordered loads and stores, and a later one jumps by tables, which 7.2 has.
"""

from __future__ import annotations

from skverdict.codegen.instruction_set import Operation
from skverdict.dsl.catalogue.programs import KERNELS

_NEWEST_CPU = 4
_NEWER_FAMILIES = {
    "may_goto": "6.12",
    "addr_space_cast": "6.12",
    "load_acquire": "7.2",
    "store_release": "7.2",
    "gotox": "7.2",
}


def cpu_level(row: Operation) -> int:
    """The least `-mcpu` level that has an instruction. Stores of constants are in all; LLVM makes none before v4."""
    return 1 if row.family == "store" else row.cpu


def first_kernel(row: Operation) -> str:
    """The first of KERNELS that has an instruction."""
    return _NEWER_FAMILIES.get(row.family, "6.12" if cpu_level(row) == _NEWEST_CPU else KERNELS[0])
