"""Helpers that kernels have and the simulator has not, each with the reason.

A program that calls one is refused when it is loaded.
"""

from __future__ import annotations

_TASK = "it gives or takes the kernel's structure of a task, of which the simulator has no more than numbers"
_CGROUP = "it takes the kernel's structure of a cgroup, of which the simulator has no more than numbers"
_KERNEL_SOCKET = "it gives the kernel's own structure of a socket; without it there is struct bpf_sock"
_KERNEL_TYPES = "it needs the types and variables of a running kernel"
_NO_MAP = "it needs a map of a kind that no policy can declare"
_COUNTERS = "it reads counters of the processor"
_SLEEPS = "it may sleep, which no program for sockets may"

UNSUPPORTED: dict[str, str] = {
    "bpf_cgrp_storage_delete": _CGROUP,
    "bpf_cgrp_storage_get": _CGROUP,
    "bpf_copy_from_user": _SLEEPS,
    "bpf_copy_from_user_task": _SLEEPS,
    "bpf_current_task_under_cgroup": _NO_MAP,
    "bpf_find_vma": _TASK,
    "bpf_get_current_task": _TASK,
    "bpf_get_current_task_btf": _TASK,
    "bpf_get_local_storage": _NO_MAP,
    "bpf_get_task_stack": _TASK,
    "bpf_kptr_xchg": "values of simulated maps hold no pointers to kernel objects; the objects come from kfuncs and "
    "from structures of tasks, cgroups and sockets, which are not simulated",
    "bpf_per_cpu_ptr": _KERNEL_TYPES,
    "bpf_perf_event_read": _COUNTERS,
    "bpf_perf_event_read_value": _COUNTERS,
    "bpf_skc_to_mptcp_sock": _KERNEL_SOCKET,
    "bpf_skc_to_tcp6_sock": _KERNEL_SOCKET,
    "bpf_skc_to_tcp_request_sock": _KERNEL_SOCKET,
    "bpf_skc_to_tcp_sock": _KERNEL_SOCKET,
    "bpf_skc_to_tcp_timewait_sock": _KERNEL_SOCKET,
    "bpf_skc_to_udp6_sock": _KERNEL_SOCKET,
    "bpf_skc_to_unix_sock": _KERNEL_SOCKET,
    "bpf_snprintf_btf": _KERNEL_TYPES,
    "bpf_task_pt_regs": _TASK,
    "bpf_task_storage_delete": _TASK,
    "bpf_task_storage_get": _TASK,
    "bpf_this_cpu_ptr": _KERNEL_TYPES,
    "bpf_user_ringbuf_drain": _NO_MAP,
}
