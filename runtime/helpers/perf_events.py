"""`bpf_perf_event_output` (kernel/trace/bpf_trace.c; for buffers, net/core/filter.c)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.perf_event_array import PerfEventArray

#: The low bits of the flags are an index; all set, they mean that of the CPU.
_INDEX_MASK = BPF_F_CURRENT_CPU = 0xFFFFFFFF
#: These bits are how much of the buffer follows the data, for programs that have one.
_LENGTH_SHIFT = 32
_LENGTH_MASK = 0xFFFFF << _LENGTH_SHIFT


def perf_event_output(call: Call, context: Context, events: PerfEventArray, flags: int, data: bytes) -> int:
    """EINVAL for unknown flags, EFAULT for more of the buffer than there is, and what the map answers."""
    has_buffer = context.table == "__sk_buff"
    if flags & ~(_INDEX_MASK | (_LENGTH_MASK if has_buffer else 0)):
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    length = flags >> _LENGTH_SHIFT
    buffer = context.buffer_bytes() if length else b""
    if length > len(buffer):
        raise KernelError(Errno.EFAULT, f"the buffer has {len(buffer)} bytes, {length} are wanted")
    index, cpu = flags & _INDEX_MASK, call.environment.cpu
    events.output(cpu if index == BPF_F_CURRENT_CPU else index, cpu, data + buffer[:length])
    return 0


FUNCTIONS: dict[str, HelperFunction] = {"bpf_perf_event_output": perf_event_output}
