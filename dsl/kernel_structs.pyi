"""Structures that the kernel keeps for itself, as editors and type checkers see them."""

from types import TracebackType

from skverdict.dsl.structs import Struct

class bpf_spin_lock(Struct):
    """A lock of an entry: `with entry.lock:`, or `bpf_spin_lock` and `bpf_spin_unlock`."""

    def __enter__(self) -> None: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class bpf_timer(Struct):
    """A timer of an entry, for the `bpf_timer_` helpers."""
