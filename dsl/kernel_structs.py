"""Structures in the values of maps that the kernel keeps for itself: programs hand them to helpers only."""

from __future__ import annotations

from skverdict.dsl.scalars import u32, u64
from skverdict.dsl.structs import Array, Struct


class bpf_spin_lock(Struct):
    """A lock of an entry: `with entry.lock:`, or `bpf_spin_lock` and `bpf_spin_unlock`."""

    val: u32

    def __enter__(self) -> None:
        """Nobody else runs in ordinary Python."""

    def __exit__(self, *error: object) -> None:
        """It is free again."""


class bpf_timer(Struct):
    """A timer of an entry, for the `bpf_timer_` helpers."""

    opaque: Array[u64, 2]
