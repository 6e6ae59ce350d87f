"""Helpers for dynptrs (kernel/bpf/helpers.c and ringbuf.c)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.dynptr import LONGEST, Dynptr, Slot
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import Bytes, MapValue, Packet, RecordRegion, offset_of
from skverdict.runtime.maps.ring_buffer import RingBuffer, State


def _check_size(size: int) -> None:
    if size > LONGEST:
        raise KernelError(Errno.E2BIG, f"a dynptr has at most {LONGEST} bytes")


def dynptr_from_mem(call: Call, data: Buffer, flags: int, slot: Slot) -> int:
    """A dynptr to memory of a map's value. After an error it points to nothing."""
    region = call.memory.region(data.address)
    if not isinstance(region, Bytes) or isinstance(region, (Packet, RecordRegion)):
        raise Misuse("bpf_dynptr_from_mem, argument data: is not in a map's value")
    if isinstance(region, MapValue):
        region.check_write(offset_of(data.address), data.size)
    dynptr = Dynptr()
    call.dynptrs.put(slot, dynptr)
    _check_size(data.size)
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    begin = offset_of(data.address)
    dynptr.content = memoryview(region.content)[begin : begin + data.size]
    return 0


def dynptr_read(call: Call, target: Buffer, source: Dynptr, offset: int, flags: int) -> int:
    if source.content is None or flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}, or the dynptr points to nothing")
    target.write(bytes(source.part(offset, target.size)))
    return 0


def dynptr_write(call: Call, target: Dynptr, offset: int, content: bytes, flags: int) -> int:
    part = target.part(offset, len(content))
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    part[:] = content
    return 0


def dynptr_data(call: Call, source: Dynptr, offset: int, length: int) -> int:
    """NULL where `length` bytes at `offset` are not all there."""
    try:
        return call.dynptrs.slice(source, source.part(offset, length))
    except KernelError:
        return 0


def ringbuf_reserve_dynptr(call: Call, ring: RingBuffer, size: int, flags: int, slot: Slot) -> int:
    """A dynptr to a new record; it must be submitted or discarded even after an error."""
    dynptr = Dynptr(owned=True)
    call.dynptrs.put(slot, dynptr)
    call.run.acquire(slot.address)
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    _check_size(size)
    record = ring.reserve(size)
    if record is None:
        raise KernelError(Errno.EINVAL, f"map {ring.name} has no room for {size} bytes")
    dynptr.content, dynptr.record = memoryview(record.content), record
    return 0


def ringbuf_submit_dynptr(call: Call, dynptr: Dynptr, flags: int) -> int:
    return _finish(call, dynptr, State.SUBMITTED)


def ringbuf_discard_dynptr(call: Call, dynptr: Dynptr, flags: int) -> int:
    return _finish(call, dynptr, State.DISCARDED)


def _finish(call: Call, dynptr: Dynptr, state: State) -> int:
    if dynptr.record is not None:
        dynptr.record.finish(state)
    call.dynptrs.release(dynptr, f"its record was {state.value}")
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_dynptr_from_mem": dynptr_from_mem,
    "bpf_dynptr_read": dynptr_read,
    "bpf_dynptr_write": dynptr_write,
    "bpf_dynptr_data": dynptr_data,
    "bpf_ringbuf_reserve_dynptr": ringbuf_reserve_dynptr,
    "bpf_ringbuf_submit_dynptr": ringbuf_submit_dynptr,
    "bpf_ringbuf_discard_dynptr": ringbuf_discard_dynptr,
}
