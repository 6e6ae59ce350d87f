"""Flags of what user space does with an entry, and what those of a per-CPU map mean, which Linux 7.2 has.

The two for CPUs go with a lookup, an update, and the batches of both. With either, the value is a single one
of `value_size` bytes, not one for each CPU (`bpf_map_check_op_flags` in include/linux/bpf.h, `bpf_map_value_size`
in kernel/bpf/syscall.c). Programs have neither: their updates answer EINVAL.

| flag | errno where it does not go |
|---|---|
| `BPF_F_CPU`: of the CPU in the upper 32 bits of the flags | ERANGE: there is no such CPU |
| `BPF_F_ALL_CPUS`: for every CPU; updates only | EINVAL: next to `BPF_F_CPU` |
| either | EINVAL: on Linux 6.1 and 6.12, or the map is no per-CPU map |
| a CPU without `BPF_F_CPU` | EINVAL |
"""

from __future__ import annotations

from skverdict.runtime.machine.errno import Errno, KernelError

BPF_ANY = 0
BPF_NOEXIST = 1
BPF_EXIST = 2
BPF_F_LOCK = 4
BPF_F_CPU = 8
BPF_F_ALL_CPUS = 16

#: Where the number of the CPU begins in the flags.
CPU_SHIFT = 32
#: The bits of the flags below it.
LOW = (1 << CPU_SHIFT) - 1

_WITHOUT = ("6.1", "6.12")


def is_single(flags: int) -> bool:
    """True if the value that goes with `flags` is a single one."""
    return bool(flags & (BPF_F_CPU | BPF_F_ALL_CPUS))


def names_cpus(flags: int) -> bool:
    """True if `flags` say anything about CPUs."""
    return is_single(flags) or bool(flags >> CPU_SHIFT)


def chosen_cpus(flags: int, kernel: str, cpus: int) -> range:
    """Which of `cpus` CPUs the `flags` choose on `kernel`: one of them, or all.

    Raises KernelError EINVAL for flags that do not go together or that the kernel does not know, ERANGE for
    a CPU that there is not.
    """
    if not names_cpus(flags):
        return range(cpus)
    if kernel in _WITHOUT:
        raise KernelError(Errno.EINVAL, f"Linux {kernel} has no flags {flags:#x}")
    cpu = flags >> CPU_SHIFT
    if cpu and not flags & BPF_F_CPU:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x} name CPU {cpu} without BPF_F_CPU")
    if flags & BPF_F_CPU and flags & BPF_F_ALL_CPUS:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x} are for one CPU and for all")
    if cpu >= cpus:
        raise KernelError(Errno.ERANGE, f"flags {flags:#x} name CPU {cpu}, and there are {cpus}")
    return range(cpu, cpu + 1) if flags & BPF_F_CPU else range(cpus)


def entry_flags(flags: int, kernel: str) -> int:
    """What an update by user space with `flags` demands of the entry: `BPF_NOEXIST`, `BPF_EXIST` or nothing.

    Linux 7.2 takes the two for a demand only where they stand alone: next to `BPF_F_CPU`, or to each other,
    an entry is written whether it was there or not. Next to `BPF_F_ALL_CPUS` they are refused. Raises
    KernelError EINVAL (`bpf_percpu_array_update` in kernel/bpf/arraymap.c, `htab_map_check_update_flags` and
    `check_flags` in kernel/bpf/hashtab.c).
    """
    low = flags & LOW
    if low & BPF_F_LOCK or low > (BPF_EXIST if kernel in _WITHOUT else BPF_F_ALL_CPUS):
        raise KernelError(Errno.EINVAL, f"unknown update flags {flags:#x}")
    return flags if flags in (BPF_NOEXIST, BPF_EXIST) else BPF_ANY
