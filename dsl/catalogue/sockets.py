"""Fields of the structures behind socket pointers: where each lies and its byte order; nobody writes them.

Offsets are include/uapi/linux/bpf.h of Linux 7.2; access is `bpf_sock_is_valid_access` and its like in
net/core/filter.c, the same from 6.1 on.
"""

from __future__ import annotations

from skverdict.dsl.catalogue.contexts import Context, Field
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import BE16, BE32, I32, U32, U64, Array, BigEndian, Int

_Row = tuple[str, int, Int | BigEndian | Array]

_SOCK: tuple[_Row, ...] = (
    ("bound_dev_if", 0, U32),
    ("family", 4, U32),
    ("type", 8, U32),
    ("protocol", 12, U32),
    ("mark", 16, U32),
    ("priority", 20, U32),
    ("src_ip4", 24, BE32),
    ("src_ip6", 28, Array(BE32, 4)),
    ("src_port", 44, U32),
    ("dst_port", 48, BE16),
    ("dst_ip4", 52, BE32),
    ("dst_ip6", 56, Array(BE32, 4)),
    ("state", 72, U32),
    ("rx_queue_mapping", 76, I32),
)
#: What a pointer does not lead to that may be one to a socket in the making.
_FULL_ONLY = ("type", "protocol", "mark", "priority")

_TCP_WORDS = (
    "snd_cwnd", "srtt_us", "rtt_min", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache",
    "ecn_flags", "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans",
    "segs_in", "data_segs_in", "segs_out", "data_segs_out", "lost_out", "sacked_out",
)  # fmt: skip
_TCP: tuple[_Row, ...] = (
    *((name, 4 * index, U32) for index, name in enumerate(_TCP_WORDS)),
    ("bytes_received", 80, U64),
    ("bytes_acked", 88, U64),
    ("dsack_dups", 96, U32),
    ("delivered", 100, U32),
    ("delivered_ce", 104, U32),
    ("icsk_retransmits", 108, U32),
)


def _structure(name: str, class_name: str, size: int, rows: tuple[_Row, ...]) -> Context:
    kinds = tuple(PROGRAMS)
    return Context(
        name, class_name, size, {field: Field(field, offset, type_, kinds) for field, offset, type_ in rows}
    )


#: `sock_common` is `bpf_sock` behind a pointer that may lead to a request or a socket in TIME_WAIT.
STRUCTURES: dict[str, Context] = {
    structure.name: structure
    for structure in (
        _structure("bpf_sock", "Sock", 80, _SOCK),
        _structure("sock_common", "Sock", 80, tuple(row for row in _SOCK if row[0] not in _FULL_ONLY)),
        _structure("bpf_tcp_sock", "TcpSock", 112, _TCP),
    )
}
