"""Helpers for ring buffers (kernel/bpf/ringbuf.c)."""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.ring_buffer import Record, RingBuffer, State

BPF_RB_NO_WAKEUP = 1
BPF_RB_FORCE_WAKEUP = 2

#: What `bpf_ringbuf_query` tells, by its flags.
_QUERIES: dict[int, Callable[[RingBuffer], int]] = {
    0: lambda ring: ring.available,
    1: lambda ring: ring.max_entries,
    2: lambda ring: ring.consumed,
    3: lambda ring: ring.produced,
}


def ringbuf_output(call: Call, ring: RingBuffer, data: bytes, flags: int) -> int:
    if flags & ~(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP):
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    ring.output(data)
    return 0


def ringbuf_reserve(call: Call, ring: RingBuffer, size: int, flags: int) -> int:
    """NULL without room, and for any flags."""
    record = None if flags else ring.reserve(size)
    return 0 if record is None else call.record(record)


def ringbuf_submit(call: Call, record: Record, flags: int) -> int:
    return _finish(call, record, State.SUBMITTED)


def ringbuf_discard(call: Call, record: Record, flags: int) -> int:
    return _finish(call, record, State.DISCARDED)


def _finish(call: Call, record: Record, state: State) -> int:
    record.finish(state)
    call.end_record(record, f"it was {state.value}")
    return 0


def ringbuf_query(call: Call, ring: RingBuffer, flags: int) -> int:
    """Zero for what the kernel does not know."""
    query = _QUERIES.get(flags)
    return 0 if query is None else query(ring)


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_ringbuf_output": ringbuf_output,
    "bpf_ringbuf_reserve": ringbuf_reserve,
    "bpf_ringbuf_submit": ringbuf_submit,
    "bpf_ringbuf_discard": ringbuf_discard,
    "bpf_ringbuf_query": ringbuf_query,
}
