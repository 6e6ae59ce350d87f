"""Kernel helpers: number, signature, and what a call does to packet views.

Numbers and signatures are include/uapi/linux/bpf.h of Linux 7.2; what an argument must point to, and which
licenses a helper asks for, are its `struct bpf_func_proto`; which map kinds it takes is the verifier's
`check_map_func_compatibility`. Which kernels let which program kind call it is measured (tests hold the table
against that).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS


class Argument(NamedTuple):
    """One helper argument.

    `kind` is a scalar or a pointer to what the helper expects there:

    - `scalar`: a number, `bits` wide, `signed` as C declares it;
    - `context`: the program's own context;
    - `map`, `key` (the map's key type), `value` (its value type, read), `value_buffer` (its value type,
      written; a bloom filter reads it);
    - `memory` (bytes the helper reads) and `buffer` (bytes it writes), each followed by its `size`, which is
      1 or more unless `nullable`; `alloc_size`: a constant, the size of the memory that the call gives;
    - `number`: an aligned integer of `bits` that the helper writes;
    - `string`: a NUL-terminated constant in read-only memory;
    - `socket`, `record` (of a ring buffer), `object` (a kernel structure named by `target`);
    - `spin_lock`, `timer`, `kptr` (the member of a map value), `dynptr` and `new_dynptr` (one not yet made);
    - `callback` (a function of the program) and `callback_context` (what it is given: stack memory or NULL);
    - `per_cpu`: a kernel variable that each CPU has its own of;
    - `varargs`: up to three numbers, each a u64.

    `nullable` pointers may be NULL; a `nullable` size may be 0.
    """

    name: str
    kind: str
    bits: int = 64
    signed: bool = False
    nullable: bool = False
    target: str = ""


@cache
def _arguments(signature: str) -> tuple[Argument, ...]:
    """Read a signature: words `name:kind`, then `?` if nullable, then `/type` for an integer type.

    An integer type as kind is a scalar of that type; a size is a u32 unless it says more; `object.name` is an
    object of that structure.
    """
    arguments = []
    for word in signature.split():
        name, _, kind = word.partition(":")
        kind, _, integer = kind.partition("/")
        nullable = kind.endswith("?")
        kind, _, target = kind.rstrip("?").partition(".")
        if kind[1:].isdigit():
            kind, integer = "scalar", kind
        elif kind == "size":
            integer = integer or "u32"
        bits = int(integer[1:] or "64")
        arguments.append(Argument(name, kind, bits, integer.startswith("i"), nullable, target))
    return tuple(arguments)


class Helper(NamedTuple):
    """One helper.

    `returns` is `i64`, `u64`, `u32`, `void`, or what the result points to: `map_value`, `socket`, `record`,
    `memory`, `object` or `object.NAME` (a kernel structure). A pointer may be NULL unless `!` follows. What
    a call that `acquires` gives must be handed to a helper that `releases` (the name of the argument) on
    every path.

    `callers` maps each kind of `programs.PROGRAMS` that may call it to the first of `programs.KERNELS` that
    allows that; kernels never took one back. `maps` are the kinds of `maps.MAPS` that its `map` argument may
    be (or kernel kinds that a policy cannot declare). `moves_buffer`: the packet may lie elsewhere after the
    call, so views end. `sleeps`: the verifier lets `callers` name the helper, yet refuses the call, since no
    program kind here may sleep.
    """

    number: int
    name: str
    signature: str
    returns: str
    callers: dict[str, str]
    maps: tuple[str, ...] = ()
    moves_buffer: bool = False
    gpl_only: bool = False
    acquires: bool = False
    releases: str = ""
    sleeps: bool = False

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return _arguments(self.signature)

    @property
    def programs(self) -> tuple[str, ...]:
        """The program kinds that may call it on the newest kernel."""
        return tuple(self.callers)

    @property
    def since(self) -> str:
        """The first kernel on which some kind may call it."""
        return min(self.callers.values(), key=KERNELS.index)

    def may_call(self, kind: str, kernel: str = KERNELS[-1]) -> bool:
        """True if `kernel` lets a program of `kind` call it. Raises ValueError for an unknown kernel."""
        first = self.callers.get(kind)
        return first is not None and KERNELS.index(first) <= KERNELS.index(kernel)


def _callers(skb: str = "", msg: str = "", ops: str = "") -> dict[str, str]:
    """Kinds to first kernels, from one kernel for each context (empty: never)."""
    first = {"__sk_buff": skb, "sk_msg_md": msg, "bpf_sock_ops": ops}
    return {kind: first[program.context] for kind, program in PROGRAMS.items() if first[program.context]}


_ALL = _callers(skb="6.1", msg="6.1", ops="6.1")
_ALL_6_12 = _callers(skb="6.12", msg="6.12", ops="6.12")
_ALL_7_2 = _callers(skb="7.2", msg="7.2", ops="7.2")
_SKB = _callers(skb="6.1")
_MSG = _callers(msg="6.1")
_OPS = _callers(ops="6.1")
_SKB_OPS = _callers(skb="6.1", ops="6.1")
_MSG_OPS = _callers(msg="6.1", ops="6.1")
_MSG_THEN_ALL_6_12 = _callers(skb="6.12", msg="6.1", ops="6.12")
_MSG_THEN_ALL_7_2 = _callers(skb="7.2", msg="6.1", ops="7.2")

_PER_CPU = ("percpu_array", "percpu_hash", "lru_percpu_hash")
_ITERABLE = ("array", "hash", "lru_hash", *_PER_CPU)
_KEYED = (*_ITERABLE, "lpm_trie")
_OF_MAPS = ("array_of_maps", "hash_of_maps")
_SOCKETS = ("sockmap", "sockhash")
_PERF = ("perf_event_array",)
_RINGBUF = ("ringbuf",)

_ROWS: tuple[Helper, ...] = (
    Helper(1, "bpf_map_lookup_elem", "map:map key:key", "map_value", _ALL, (*_KEYED, *_OF_MAPS, *_SOCKETS)),
    Helper(2, "bpf_map_update_elem", "map:map key:key value:value flags:u64", "i64", _ALL, _KEYED),
    Helper(3, "bpf_map_delete_elem", "map:map key:key", "i64", _ALL, (*_KEYED, *_SOCKETS)),
    Helper(5, "bpf_ktime_get_ns", "", "u64", _ALL),
    Helper(6, "bpf_trace_printk", "fmt:memory fmt_size:size args:varargs", "i64", _ALL, gpl_only=True),
    Helper(7, "bpf_get_prandom_u32", "", "u32", _ALL),
    Helper(8, "bpf_get_smp_processor_id", "", "u32", _ALL),
    Helper(9, "bpf_skb_store_bytes", "skb:context offset:u32 from:memory len:size flags:u64", "i64", _SKB,
           moves_buffer=True),
    # The program called could move the buffer and does not come back; kernels from 6.12 on end views here.
    Helper(12, "bpf_tail_call", "ctx:context prog_array_map:map index:u32", "i64", _ALL, ("prog_array",),
           moves_buffer=True),
    Helper(14, "bpf_get_current_pid_tgid", "", "u64", _MSG_THEN_ALL_6_12),
    Helper(15, "bpf_get_current_uid_gid", "", "u64", _MSG_THEN_ALL_7_2),
    Helper(16, "bpf_get_current_comm", "buf:buffer size_of_buf:size", "i64", _ALL_7_2),
    Helper(17, "bpf_get_cgroup_classid", "skb:context", "u32", _MSG_THEN_ALL_7_2),
    Helper(22, "bpf_perf_event_read", "map:map flags:u64", "u64", _ALL_7_2, _PERF, gpl_only=True),
    Helper(25, "bpf_perf_event_output", "ctx:context map:map flags:u64 data:memory size:size?/u64", "i64",
           _ALL, _PERF, gpl_only=True),
    Helper(26, "bpf_skb_load_bytes", "skb:context offset:u32 to:buffer len:size", "i64", _SKB),
    Helper(35, "bpf_get_current_task", "", "u64", _ALL, gpl_only=True),
    Helper(37, "bpf_current_task_under_cgroup", "map:map index:u32", "i64", _ALL_7_2, ("cgroup_array",)),
    Helper(38, "bpf_skb_change_tail", "skb:context len:u32 flags:u64", "i64", _SKB, moves_buffer=True),
    Helper(39, "bpf_skb_pull_data", "skb:context len:u32", "i64", _SKB, moves_buffer=True),
    Helper(42, "bpf_get_numa_node_id", "", "i64", _ALL),
    Helper(43, "bpf_skb_change_head", "skb:context len:u32 flags:u64", "i64", _SKB, moves_buffer=True),
    Helper(46, "bpf_get_socket_cookie", "skb:context", "u64", _SKB_OPS),
    Helper(47, "bpf_get_socket_uid", "skb:context", "u32", _SKB),
    Helper(49, "bpf_setsockopt", "bpf_socket:context level:i32 optname:i32 optval:memory optlen:size/i32",
           "i64", _OPS),
    Helper(50, "bpf_skb_adjust_room", "skb:context len_diff:i32 mode:u32 flags:u64", "i64", _SKB,
           moves_buffer=True),
    Helper(52, "bpf_sk_redirect_map", "skb:context map:map key:u32 flags:u64", "i64", _SKB, ("sockmap",)),
    Helper(53, "bpf_sock_map_update", "skops:context map:map key:key flags:u64", "i64", _OPS, ("sockmap",)),
    Helper(55, "bpf_perf_event_read_value", "map:map flags:u64 buf:buffer buf_size:size", "i64", _ALL_7_2,
           _PERF, gpl_only=True),
    Helper(57, "bpf_getsockopt", "bpf_socket:context level:i32 optname:i32 optval:buffer optlen:size/i32",
           "i64", _OPS),
    Helper(59, "bpf_sock_ops_cb_flags_set", "bpf_sock:context argval:i32", "i64", _OPS),
    Helper(60, "bpf_msg_redirect_map", "msg:context map:map key:u32 flags:u64", "i64", _MSG, ("sockmap",)),
    Helper(61, "bpf_msg_apply_bytes", "msg:context bytes:u32", "i64", _MSG),
    Helper(62, "bpf_msg_cork_bytes", "msg:context bytes:u32", "i64", _MSG),
    Helper(63, "bpf_msg_pull_data", "msg:context start:u32 end:u32 flags:u64", "i64", _MSG,
           moves_buffer=True),
    Helper(70, "bpf_sock_hash_update", "skops:context map:map key:key flags:u64", "i64", _OPS, ("sockhash",)),
    Helper(71, "bpf_msg_redirect_hash", "msg:context map:map key:key flags:u64", "i64", _MSG, ("sockhash",)),
    Helper(72, "bpf_sk_redirect_hash", "skb:context map:map key:key flags:u64", "i64", _SKB, ("sockhash",)),
    Helper(80, "bpf_get_current_cgroup_id", "", "u64", _MSG_THEN_ALL_6_12),
    Helper(81, "bpf_get_local_storage", "map:map flags:u64", "map_value!", _OPS,
           ("cgroup_storage", "percpu_cgroup_storage")),
    Helper(84, "bpf_sk_lookup_tcp", "ctx:context tuple:memory tuple_size:size netns:u64 flags:u64", "socket",
           _SKB, acquires=True),
    Helper(85, "bpf_sk_lookup_udp", "ctx:context tuple:memory tuple_size:size netns:u64 flags:u64", "socket",
           _SKB, acquires=True),
    Helper(86, "bpf_sk_release", "sock:socket", "i64", _SKB, releases="sock"),
    Helper(87, "bpf_map_push_elem", "map:map value:value flags:u64", "i64", _ALL,
           ("queue", "stack", "bloom_filter")),
    Helper(88, "bpf_map_pop_elem", "map:map value:value_buffer", "i64", _ALL, ("queue", "stack")),
    Helper(89, "bpf_map_peek_elem", "map:map value:value_buffer", "i64", _ALL,
           ("queue", "stack", "bloom_filter")),
    Helper(90, "bpf_msg_push_data", "msg:context start:u32 len:u32 flags:u64", "i64", _MSG,
           moves_buffer=True),
    Helper(91, "bpf_msg_pop_data", "msg:context start:u32 len:u32 flags:u64", "i64", _MSG, moves_buffer=True),
    Helper(93, "bpf_spin_lock", "lock:spin_lock", "void", _ALL),
    Helper(94, "bpf_spin_unlock", "lock:spin_lock", "void", _ALL),
    Helper(96, "bpf_tcp_sock", "sk:socket", "object.bpf_tcp_sock", _OPS),
    Helper(99, "bpf_skc_lookup_tcp", "ctx:context tuple:memory tuple_size:size netns:u64 flags:u64",
           "socket", _SKB, acquires=True),
    Helper(105, "bpf_strtol", "buf:memory buf_len:size/u64 flags:u64 res:number/i64", "i64", _ALL),
    Helper(106, "bpf_strtoul", "buf:memory buf_len:size/u64 flags:u64 res:number/u64", "i64", _ALL),
    Helper(107, "bpf_sk_storage_get", "map:map sk:socket value:value? flags:u64", "map_value", _MSG_OPS,
           ("sk_storage",)),
    Helper(108, "bpf_sk_storage_delete", "map:map sk:socket", "i64", _MSG_OPS, ("sk_storage",)),
    Helper(109, "bpf_send_signal", "sig:u32", "i64", _ALL_7_2),
    Helper(112, "bpf_probe_read_user", "dst:buffer size:size? unsafe_ptr:u64", "i64", _ALL, gpl_only=True),
    Helper(113, "bpf_probe_read_kernel", "dst:buffer size:size? unsafe_ptr:u64", "i64", _ALL, gpl_only=True),
    Helper(114, "bpf_probe_read_user_str", "dst:buffer size:size? unsafe_ptr:u64", "i64", _ALL,
           gpl_only=True),
    Helper(115, "bpf_probe_read_kernel_str", "dst:buffer size:size? unsafe_ptr:u64", "i64", _ALL,
           gpl_only=True),
    Helper(117, "bpf_send_signal_thread", "sig:u32", "i64", _ALL_7_2),
    Helper(118, "bpf_jiffies64", "", "u64", _ALL),
    Helper(120, "bpf_get_ns_current_pid_tgid", "dev:u64 ino:u64 nsdata:buffer size:size", "i64", _ALL_6_12),
    Helper(122, "bpf_get_netns_cookie", "ctx:context?", "u64", _MSG_OPS),
    Helper(123, "bpf_get_current_ancestor_cgroup_id", "ancestor_level:i32", "u64", _MSG_THEN_ALL_6_12),
    Helper(125, "bpf_ktime_get_boot_ns", "", "u64", _ALL),
    Helper(130, "bpf_ringbuf_output", "ringbuf:map data:memory size:size?/u64 flags:u64", "i64", _ALL,
           _RINGBUF),
    Helper(131, "bpf_ringbuf_reserve", "ringbuf:map size:alloc_size flags:u64", "record", _ALL, _RINGBUF,
           acquires=True),
    Helper(132, "bpf_ringbuf_submit", "data:record flags:u64", "void", _ALL, releases="data"),
    Helper(133, "bpf_ringbuf_discard", "data:record flags:u64", "void", _ALL, releases="data"),
    Helper(134, "bpf_ringbuf_query", "ringbuf:map flags:u64", "u64", _ALL, _RINGBUF),
    Helper(136, "bpf_skc_to_tcp6_sock", "sk:socket", "object.tcp6_sock", _ALL),
    Helper(137, "bpf_skc_to_tcp_sock", "sk:socket", "object.tcp_sock", _ALL),
    Helper(138, "bpf_skc_to_tcp_timewait_sock", "sk:socket", "object.tcp_timewait_sock", _ALL),
    Helper(139, "bpf_skc_to_tcp_request_sock", "sk:socket", "object.tcp_request_sock", _ALL),
    Helper(140, "bpf_skc_to_udp6_sock", "sk:socket", "object.udp6_sock", _ALL),
    Helper(141, "bpf_get_task_stack", "task:object.task_struct buf:buffer size:size? flags:u64", "i64",
           _ALL_7_2),
    Helper(142, "bpf_load_hdr_opt", "skops:context searchby_res:buffer len:size flags:u64", "i64", _OPS),
    Helper(143, "bpf_store_hdr_opt", "skops:context from:memory len:size flags:u64", "i64", _OPS,
           moves_buffer=True),
    Helper(144, "bpf_reserve_hdr_opt", "skops:context len:u32 flags:u64", "i64", _OPS),
    Helper(148, "bpf_copy_from_user", "dst:buffer size:size? user_ptr:u64", "i64", _ALL_7_2, sleeps=True),
    Helper(149, "bpf_snprintf_btf", "str:buffer str_size:size ptr:memory btf_ptr_size:size flags:u64", "i64",
           _ALL),
    Helper(153, "bpf_per_cpu_ptr", "percpu_ptr:per_cpu cpu:u32", "memory", _ALL),
    Helper(154, "bpf_this_cpu_ptr", "percpu_ptr:per_cpu", "memory!", _ALL),
    Helper(156, "bpf_task_storage_get", "map:map task:object.task_struct value:value? flags:u64",
           "map_value", _ALL_7_2, ("task_storage",)),
    Helper(157, "bpf_task_storage_delete", "map:map task:object.task_struct", "i64", _ALL_7_2,
           ("task_storage",)),
    Helper(158, "bpf_get_current_task_btf", "", "object.task_struct!", _ALL, gpl_only=True),
    Helper(160, "bpf_ktime_get_coarse_ns", "", "u64", _ALL),
    Helper(164, "bpf_for_each_map_elem",
           "map:map callback_fn:callback callback_ctx:callback_context? flags:u64", "i64", _ALL, _ITERABLE),
    Helper(165, "bpf_snprintf", "str:buffer? str_size:size? fmt:string data:memory? data_len:size?", "i64",
           _ALL, gpl_only=True),
    Helper(169, "bpf_timer_init", "timer:timer map:map flags:u64", "i64", _ALL, ("array", "hash", "lru_hash"),
           gpl_only=True),
    Helper(170, "bpf_timer_set_callback", "timer:timer callback_fn:callback", "i64", _ALL, gpl_only=True),
    Helper(171, "bpf_timer_start", "timer:timer nsecs:u64 flags:u64", "i64", _ALL, gpl_only=True),
    Helper(172, "bpf_timer_cancel", "timer:timer", "i64", _ALL, gpl_only=True),
    Helper(175, "bpf_task_pt_regs", "task:object.task_struct", "object.pt_regs!", _ALL, gpl_only=True),
    Helper(176, "bpf_get_branch_snapshot", "entries:buffer size:size? flags:u64", "i64", _ALL_7_2,
           gpl_only=True),
    Helper(177, "bpf_trace_vprintk", "fmt:memory fmt_size:size data:memory? data_len:size?", "i64", _ALL,
           gpl_only=True),
    Helper(178, "bpf_skc_to_unix_sock", "sk:socket", "object.unix_sock", _ALL),
    Helper(180, "bpf_find_vma",
           "task:object.task_struct addr:u64 callback_fn:callback callback_ctx:callback_context? flags:u64",
           "i64", _ALL_7_2),
    Helper(181, "bpf_loop", "nr_loops:u32 callback_fn:callback callback_ctx:callback_context? flags:u64",
           "i64", _ALL),
    Helper(182, "bpf_strncmp", "s1:memory s1_sz:size s2:string", "i64", _ALL),
    Helper(191, "bpf_copy_from_user_task",
           "dst:buffer size:size? user_ptr:u64 tsk:object.task_struct flags:u64", "i64", _ALL_7_2,
           gpl_only=True, sleeps=True),
    Helper(194, "bpf_kptr_xchg", "dst:kptr ptr:object?", "object", _ALL, acquires=True, releases="ptr"),
    Helper(195, "bpf_map_lookup_percpu_elem", "map:map key:key cpu:u32", "map_value", _ALL, _PER_CPU),
    Helper(196, "bpf_skc_to_mptcp_sock", "sk:socket", "object.mptcp_sock", _ALL),
    Helper(197, "bpf_dynptr_from_mem", "data:buffer size:size?/u64 flags:u64 ptr:new_dynptr", "i64", _ALL),
    Helper(198, "bpf_ringbuf_reserve_dynptr", "ringbuf:map size:u32 flags:u64 ptr:new_dynptr", "i64", _ALL,
           _RINGBUF, acquires=True),
    Helper(199, "bpf_ringbuf_submit_dynptr", "ptr:dynptr flags:u64", "void", _ALL, releases="ptr"),
    Helper(200, "bpf_ringbuf_discard_dynptr", "ptr:dynptr flags:u64", "void", _ALL, releases="ptr"),
    Helper(201, "bpf_dynptr_read", "dst:buffer len:size?/u64 src:dynptr offset:u64 flags:u64", "i64", _ALL),
    Helper(202, "bpf_dynptr_write", "dst:dynptr offset:u64 src:memory len:size?/u64 flags:u64", "i64", _ALL),
    Helper(203, "bpf_dynptr_data", "ptr:dynptr offset:u64 len:alloc_size?", "memory", _ALL),
    Helper(208, "bpf_ktime_get_tai_ns", "", "u64", _ALL),
    Helper(209, "bpf_user_ringbuf_drain", "map:map callback_fn:callback ctx:callback_context? flags:u64",
           "i64", _ALL, ("user_ringbuf",)),
    Helper(210, "bpf_cgrp_storage_get", "map:map cgroup:object.cgroup value:value? flags:u64", "map_value",
           _ALL_6_12, ("cgrp_storage",)),
    Helper(211, "bpf_cgrp_storage_delete", "map:map cgroup:object.cgroup", "i64", _ALL_6_12,
           ("cgrp_storage",)),
)  # fmt: skip

HELPERS: dict[str, Helper] = {helper.name: helper for helper in _ROWS}

# What the verifier replaces by functions of the map. In Linux 6.1 those give C's `int`, and an error is a positive
# number of 64 bits (`struct bpf_map_ops` of include/linux/bpf.h, where it is `long` since 6.4; `do_misc_fixups` of
# kernel/bpf/verifier.c).
INT_ON_6_1 = frozenset(
    f"bpf_{name}_elem" for name in ("map_update", "map_delete", "map_push", "map_pop", "map_peek", "for_each_map")
)

# Where the map kind narrows who may call: a lookup gives a socket that must be released, which only sk_skb
# programs can; the plain delete is open to sock_ops alone (`may_update_sockmap`), the plain update to none.
MAP_CALLERS: dict[tuple[str, str], tuple[str, ...]] = {
    (helper, kind): tuple(callers)
    for helper, callers in (("bpf_map_lookup_elem", _SKB), ("bpf_map_delete_elem", _OPS))
    for kind in _SOCKETS
}
