"""Helpers that tell of the machine's surroundings: time, chance, CPU and process, all as the environment
says."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction

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
}
