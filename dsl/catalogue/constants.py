"""Constants that a policy needs, by the names that C programs use.

Values are include/uapi/linux/bpf.h, include/uapi/linux/tcp.h and the socket headers of Linux 7.2.
"""

from __future__ import annotations


def _flags(names: str, prefix: str = "", suffix: str = "") -> dict[str, int]:
    """Names to one bit each, from bit 0 up."""
    return {prefix + name + suffix: 1 << bit for bit, name in enumerate(names.split())}


def _numbers(names: str, first: int = 0, prefix: str = "") -> dict[str, int]:
    """Names to consecutive numbers from `first`."""
    return {prefix + name: number for number, name in enumerate(names.split(), first)}


CONSTANTS: dict[str, int] = {
    **_numbers("SK_DROP SK_PASS"),
    # Flags of map updates and lookups.
    **_numbers("BPF_ANY BPF_NOEXIST BPF_EXIST"),
    "BPF_F_LOCK": 4,
    # Flags of redirects: to the receive queue of the target instead of its send queue.
    "BPF_F_INGRESS": 1,
    # Flags of map declarations (`map_flags`).
    **_flags(
        "NO_PREALLOC NO_COMMON_LRU NUMA_NODE RDONLY WRONLY STACK_BUILD_ID ZERO_SEED RDONLY_PROG WRONLY_PROG "
        "CLONE MMAPABLE PRESERVE_ELEMS INNER_MAP",
        prefix="BPF_F_",
    ),
    "BPF_F_RB_OVERWRITE": 1 << 19,
    # Flags of perf event output; the low 32 bits are the CPU.
    "BPF_F_INDEX_MASK": 0xFFFFFFFF,
    "BPF_F_CURRENT_CPU": 0xFFFFFFFF,
    "BPF_F_CTXLEN_MASK": 0xFFFFF << 32,
    # The `netns` of a socket lookup: that of the context.
    "BPF_F_CURRENT_NETNS": -1,
    # Flags of bpf_skb_store_bytes.
    **_flags("BPF_F_RECOMPUTE_CSUM BPF_F_INVALIDATE_HASH"),
    # Modes and flags of bpf_skb_adjust_room.
    **_numbers("BPF_ADJ_ROOM_NET BPF_ADJ_ROOM_MAC"),
    **_flags(
        "FIXED_GSO ENCAP_L3_IPV4 ENCAP_L3_IPV6 ENCAP_L4_GRE ENCAP_L4_UDP NO_CSUM_RESET ENCAP_L2_ETH "
        "DECAP_L3_IPV4 DECAP_L3_IPV6",
        prefix="BPF_F_ADJ_ROOM_",
    ),
    # Flags of local storage, ring buffers and timers.
    "BPF_LOCAL_STORAGE_GET_F_CREATE": 1,
    "BPF_SK_STORAGE_GET_F_CREATE": 1,
    **_flags("BPF_RB_NO_WAKEUP BPF_RB_FORCE_WAKEUP"),
    **_numbers("BPF_RB_AVAIL_DATA BPF_RB_RING_SIZE BPF_RB_CONS_POS BPF_RB_PROD_POS"),
    **_flags("BPF_F_TIMER_ABS BPF_F_TIMER_CPU_PIN"),
    # Clocks of bpf_timer_init.
    "CLOCK_REALTIME": 0,
    "CLOCK_MONOTONIC": 1,
    "CLOCK_BOOTTIME": 7,
    # `op` of struct bpf_sock_ops.
    **_numbers(
        "VOID TIMEOUT_INIT RWND_INIT TCP_CONNECT_CB ACTIVE_ESTABLISHED_CB PASSIVE_ESTABLISHED_CB NEEDS_ECN "
        "BASE_RTT RTO_CB RETRANS_CB STATE_CB TCP_LISTEN_CB RTT_CB PARSE_HDR_OPT_CB HDR_OPT_LEN_CB "
        "WRITE_HDR_OPT_CB TSTAMP_SCHED_CB TSTAMP_SND_SW_CB TSTAMP_SND_HW_CB TSTAMP_ACK_CB TSTAMP_SENDMSG_CB",
        prefix="BPF_SOCK_OPS_",
    ),
    # Which callbacks a socket wants (bpf_sock_ops_cb_flags_set).
    **_flags(
        "RTO RETRANS STATE RTT PARSE_ALL_HDR_OPT PARSE_UNKNOWN_HDR_OPT WRITE_HDR_OPT",
        prefix="BPF_SOCK_OPS_",
        suffix="_CB_FLAG",
    ),
    "BPF_SOCK_OPS_ALL_CB_FLAGS": 0x7F,
    "BPF_LOAD_HDR_OPT_TCP_SYN": 1,
    **_numbers("BPF_WRITE_HDR_TCP_CURRENT_MSS BPF_WRITE_HDR_TCP_SYNACK_COOKIE", 1),
    # `state` of struct bpf_sock_ops.
    **_numbers(
        "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
        "CLOSING NEW_SYN_RECV BOUND_INACTIVE MAX_STATES",
        1,
        prefix="BPF_TCP_",
    ),
    # Options of bpf_setsockopt and bpf_getsockopt that only BPF has, and the levels and options they share.
    **_numbers(
        "IW SNDCWND_CLAMP DELACK_MAX RTO_MIN SYN SYN_IP SYN_MAC SOCK_OPS_CB_FLAGS", 1001, prefix="TCP_BPF_"
    ),
    "SOL_IP": 0,
    "SOL_SOCKET": 1,
    "SOL_TCP": 6,
    "SOL_IPV6": 41,
    "SO_RCVBUF": 8,
    "SO_SNDBUF": 7,
    "SO_KEEPALIVE": 9,
    "SO_PRIORITY": 12,
    "SO_RCVLOWAT": 18,
    "SO_MARK": 36,
    "TCP_NODELAY": 1,
    "TCP_MAXSEG": 2,
    "TCP_KEEPIDLE": 4,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 6,
    "TCP_SYNCNT": 7,
    "TCP_WINDOW_CLAMP": 10,
    "TCP_CONGESTION": 13,
    "TCP_USER_TIMEOUT": 18,
    "TCP_NOTSENT_LOWAT": 25,
    "TCP_SAVE_SYN": 27,
    "TCP_SAVED_SYN": 28,
    # `family`, and protocol numbers.
    "AF_UNSPEC": 0,
    "AF_UNIX": 1,
    "AF_INET": 2,
    "AF_INET6": 10,
    "IPPROTO_TCP": 6,
    "IPPROTO_UDP": 17,
    "ETH_P_IP": 0x0800,
    "ETH_P_IPV6": 0x86DD,
}
