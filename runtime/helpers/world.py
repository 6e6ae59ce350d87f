"""Helpers that tell of the machine's surroundings: time, chance, CPU and process, all as the environment
says."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction, Signal
from skverdict.runtime.machine.errno import Errno, KernelError

#: Bytes of `struct bpf_pidns_info`, and the last of the signals (_NSIG).
_PID_INFO_SIZE = 8
_LAST_SIGNAL = 64

_TICK_NS = 4_000_000
"""Length of a jiffy: Debian's kernels tick 250 times a second (CONFIG_HZ)."""


def ktime_get_ns(call: Call) -> int:
    return call.environment.clock_ns


def ktime_get_coarse_ns(call: Call) -> int:
    """The time at the last tick."""
    return call.environment.clock_ns // _TICK_NS * _TICK_NS


def ktime_get_tai_ns(call: Call) -> int:
    return call.environment.clock_ns + call.environment.wall_clock_offset_ns


def jiffies64(call: Call) -> int:
    return call.environment.clock_ns // _TICK_NS


def get_prandom_u32(call: Call) -> int:
    return call.environment.random.getrandbits(32)


def get_smp_processor_id(call: Call) -> int:
    return call.environment.cpu


def get_numa_node_id(call: Call) -> int:
    return call.environment.numa_node


def get_current_pid_tgid(call: Call) -> int:
    return call.environment.process << 32 | call.environment.thread


def get_current_uid_gid(call: Call) -> int:
    return call.environment.group << 32 | call.environment.user


def get_current_comm(call: Call, buffer: Buffer) -> int:
    """The command's name, NUL-terminated and cut to the buffer, the rest of which is zeroed."""
    buffer.write(call.environment.command[: buffer.size - 1].ljust(buffer.size, b"\0"))
    return 0


def get_current_cgroup_id(call: Call) -> int:
    return call.environment.cgroup


def get_current_ancestor_cgroup_id(call: Call, level: int) -> int:
    """The cgroup `level` steps below the root on the way to the current one; 0 beyond it."""
    path = (*call.environment.cgroup_ancestors, call.environment.cgroup)
    return path[level] if 0 <= level < len(path) else 0


def get_cgroup_classid(call: Call, _: object) -> int:
    """The current task's, whatever the argument; programs for sockets have that variant of the helper."""
    return call.environment.cgroup_class


def get_ns_current_pid_tgid(call: Call, device: int, inode: int, target: Buffer) -> int:
    """The current thread and process; EINVAL, and zeros, for another namespace or size."""
    target.write(bytes(target.size))
    if target.size != _PID_INFO_SIZE or (device, inode) != call.environment.pid_namespace:
        raise KernelError(Errno.EINVAL, "it is not the namespace of the current process")
    numbers = (call.environment.thread, call.environment.process)
    target.write(b"".join(number.to_bytes(4, call.memory.order) for number in numbers))
    return 0


def send_signal(call: Call, number: int) -> int:
    return _signal(call, number, whole_process=True)


def send_signal_thread(call: Call, number: int) -> int:
    return _signal(call, number, whole_process=False)


def _signal(call: Call, number: int, whole_process: bool) -> int:
    """Note the signal. EPERM for process 1, EINVAL for a number that no signal has."""
    environment = call.environment
    if environment.process == 1:
        raise KernelError(Errno.EPERM, "process 1 gets no signals from programs")
    if number > _LAST_SIGNAL:
        raise KernelError(Errno.EINVAL, f"there is no signal {number}")
    environment.signals.append(Signal(number, whole_process))
    return 0


def get_branch_snapshot(call: Call, target: Buffer, flags: int) -> int:
    """EINVAL for flags, else ENOENT: the machine's processor keeps no record of branches."""
    if flags:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x}")
    raise KernelError(Errno.ENOENT, "there are no records of branches")


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_ktime_get_ns": ktime_get_ns,
    # The simulated machine never sleeps, so the time since boot is the same.
    "bpf_ktime_get_boot_ns": ktime_get_ns,
    "bpf_ktime_get_coarse_ns": ktime_get_coarse_ns,
    "bpf_ktime_get_tai_ns": ktime_get_tai_ns,
    "bpf_jiffies64": jiffies64,
    "bpf_get_prandom_u32": get_prandom_u32,
    "bpf_get_smp_processor_id": get_smp_processor_id,
    "bpf_get_numa_node_id": get_numa_node_id,
    "bpf_get_current_pid_tgid": get_current_pid_tgid,
    "bpf_get_current_uid_gid": get_current_uid_gid,
    "bpf_get_current_comm": get_current_comm,
    "bpf_get_current_cgroup_id": get_current_cgroup_id,
    "bpf_get_current_ancestor_cgroup_id": get_current_ancestor_cgroup_id,
    "bpf_get_cgroup_classid": get_cgroup_classid,
    "bpf_get_ns_current_pid_tgid": get_ns_current_pid_tgid,
    "bpf_send_signal": send_signal,
    "bpf_send_signal_thread": send_signal_thread,
    "bpf_get_branch_snapshot": get_branch_snapshot,
}
