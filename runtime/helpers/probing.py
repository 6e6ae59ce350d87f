"""Helpers that read memory which nobody has checked (kernel/trace/bpf_trace.c, mm/maccess.c).

Kernel memory is what the program's pointers lead to, as far as the simulator has its bytes; where it has not,
the run ends in a fault. Of user space's memory there is none.
"""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import Nothing
from skverdict.runtime.machine.semantics import mask

#: Addresses below are user space's (TASK_SIZE_MAX of x86-64), and those up to the mirrored place nobody's.
_USER_END = 1 << 47


def _check_kernel(call: Call, address: int) -> None:
    """Raise KernelError for a number that is no kernel address: ERANGE, or EFAULT where nothing is."""
    if isinstance(call.memory.region(address), Nothing):
        number = Errno.ERANGE if address < mask(64) + 1 - _USER_END else Errno.EFAULT
        raise KernelError(number, f"there is no kernel memory at {address:#x}")


def probe_read_kernel(call: Call, target: Buffer, address: int) -> int:
    """0, or an error and zeros in `target`."""
    target.write(bytes(target.size))
    _check_kernel(call, address)
    target.write(call.read(address, target.size))
    return 0


def probe_read_kernel_str(call: Call, target: Buffer, address: int) -> int:
    """The length of the text with its NUL, cut to `target`, of which the rest stays as it is."""
    if not target.size:
        return 0
    text = bytearray()
    try:
        _check_kernel(call, address)
        while len(text) < target.size and not text.endswith(b"\0"):
            text += call.read((address + len(text)) & mask(64), 1)
    except KernelError:
        target.write(bytes(target.size))
        raise
    text[-1] = 0
    target.write(bytes(text))
    return len(text)


def probe_read_user(call: Call, target: Buffer, address: int) -> int:
    """EFAULT, and zeros."""
    target.write(bytes(target.size))
    raise KernelError(Errno.EFAULT, "there is no user memory")


def probe_read_user_str(call: Call, target: Buffer, address: int) -> int:
    return probe_read_user(call, target, address) if target.size else 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_probe_read_kernel": probe_read_kernel,
    "bpf_probe_read_kernel_str": probe_read_kernel_str,
    "bpf_probe_read_user": probe_read_user,
    "bpf_probe_read_user_str": probe_read_user_str,
}
