"""Context fields: where each lies in the UAPI structure, its byte order, and who may read or write it.

Offsets are include/uapi/linux/bpf.h of Linux 6.12; byte order and access are what the verifier and a real
connection answered on Linux 6.1, 6.12 and 7.2.
"""

from __future__ import annotations

from typing import NamedTuple

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import BE16, BE32, U8, U32, U64, Array, BigEndian, Int


class Field(NamedTuple):
    """One field. `readers` and `writers` are program kinds of `programs.PROGRAMS`.

    `role` is empty for a number; `data` and `data_end` bound the packet, `socket` is a socket pointer
    (`nullable`: NULL until tested). `low` is set where the field's number holds a network-order one in its
    low bits: `protocol` is a u32 whose low 16 bits are a be16, on hosts of either byte order. `since` is the
    first of `programs.KERNELS` that has the field.
    """

    name: str
    offset: int
    type: Int | BigEndian | Array
    readers: tuple[str, ...]
    writers: tuple[str, ...] = ()
    role: str = ""
    low: BigEndian | None = None
    nullable: bool = False
    since: str = "6.1"


class Context(NamedTuple):
    """One context structure; `class_name` is its name in `skverdict.dsl`, `size` its bytes."""

    name: str
    class_name: str
    size: int
    fields: dict[str, Field]


# A row: name, offset, type, then a word for each thing that is out of the ordinary. A field is readable by
# every kind that gets the context unless it is `hidden`, and nobody writes it unless it is `writable`.
_Row = tuple[str, int, Int | BigEndian | Array, str]

_SK_BUFF: tuple[_Row, ...] = (
    ("len", 0, U32, ""),
    ("pkt_type", 4, U32, ""),
    ("mark", 8, U32, "hidden"),
    ("queue_mapping", 12, U32, ""),
    ("protocol", 16, U32, "low16"),
    ("vlan_present", 20, U32, ""),
    ("vlan_tci", 24, U32, ""),
    ("vlan_proto", 28, U32, "low16"),
    ("priority", 32, U32, "writable"),
    ("ingress_ifindex", 36, U32, ""),
    ("ifindex", 40, U32, ""),
    ("tc_index", 44, U32, "writable"),
    ("cb", 48, Array(U32, 5), ""),
    ("hash", 68, U32, ""),
    ("tc_classid", 72, U32, "hidden"),
    ("data", 76, U32, "data"),
    ("data_end", 80, U32, "data_end"),
    ("napi_id", 84, U32, ""),
    ("family", 88, U32, ""),
    ("remote_ip4", 92, BE32, ""),
    ("local_ip4", 96, BE32, ""),
    ("remote_ip6", 100, Array(BE32, 4), ""),
    ("local_ip6", 116, Array(BE32, 4), ""),
    ("remote_port", 132, BE32, ""),
    ("local_port", 136, U32, ""),
    ("data_meta", 140, U32, "hidden"),
    ("flow_keys", 144, U64, "hidden"),
    ("tstamp", 152, U64, "hidden"),
    ("wire_len", 160, U32, "hidden"),
    ("gso_segs", 164, U32, ""),
    ("sk", 168, U64, "socket nullable"),
    ("gso_size", 176, U32, ""),
    ("tstamp_type", 180, U8, "hidden"),
    ("hwtstamp", 184, U64, "hidden"),
)

_SK_MSG: tuple[_Row, ...] = (
    ("data", 0, U64, "data"),
    ("data_end", 8, U64, "data_end"),
    ("family", 16, U32, ""),
    ("remote_ip4", 20, BE32, ""),
    ("local_ip4", 24, BE32, ""),
    ("remote_ip6", 28, Array(BE32, 4), ""),
    ("local_ip6", 44, Array(BE32, 4), ""),
    ("remote_port", 60, BE32, ""),
    ("local_port", 64, U32, ""),
    ("size", 68, U32, ""),
    ("sk", 72, U64, "socket"),
)

_SOCK_OPS: tuple[_Row, ...] = (
    ("op", 0, U32, ""),
    # One union: what the kernel hands over and the answer share their words. Only the first is writable.
    ("args", 4, Array(U32, 4), ""),
    ("reply", 4, U32, "writable"),
    ("replylong", 4, Array(U32, 4), ""),
    ("family", 20, U32, ""),
    ("remote_ip4", 24, BE32, ""),
    ("local_ip4", 28, BE32, ""),
    ("remote_ip6", 32, Array(BE32, 4), ""),
    ("local_ip6", 48, Array(BE32, 4), ""),
    ("remote_port", 64, BE32, ""),
    ("local_port", 68, U32, ""),
    ("is_fullsock", 72, U32, ""),
    ("snd_cwnd", 76, U32, ""),
    ("srtt_us", 80, U32, ""),
    ("bpf_sock_ops_cb_flags", 84, U32, ""),
    ("state", 88, U32, ""),
    ("rtt_min", 92, U32, ""),
    ("snd_ssthresh", 96, U32, ""),
    ("rcv_nxt", 100, U32, ""),
    ("snd_nxt", 104, U32, ""),
    ("snd_una", 108, U32, ""),
    ("mss_cache", 112, U32, ""),
    ("ecn_flags", 116, U32, ""),
    ("rate_delivered", 120, U32, ""),
    ("rate_interval_us", 124, U32, ""),
    ("packets_out", 128, U32, ""),
    ("retrans_out", 132, U32, ""),
    ("total_retrans", 136, U32, ""),
    ("segs_in", 140, U32, ""),
    ("data_segs_in", 144, U32, ""),
    ("segs_out", 148, U32, ""),
    ("data_segs_out", 152, U32, ""),
    ("lost_out", 156, U32, ""),
    ("sacked_out", 160, U32, ""),
    ("sk_txhash", 164, U32, "writable"),
    ("bytes_received", 168, U64, ""),
    ("bytes_acked", 176, U64, ""),
    ("sk", 184, U64, "socket nullable"),
    ("skb_data", 192, U64, "data"),
    ("skb_data_end", 200, U64, "data_end"),
    ("skb_len", 208, U32, ""),
    ("skb_tcp_flags", 212, U32, ""),
    ("skb_hwtstamp", 216, U64, "6.12"),
)

_ROLES = ("data", "data_end", "socket")


def _context(name: str, class_name: str, size: int, rows: tuple[_Row, ...]) -> Context:
    kinds = tuple(kind for kind, program in PROGRAMS.items() if program.context == name)
    fields = {}
    for field, offset, type_, notes in rows:
        words = notes.split()
        fields[field] = Field(
            field,
            offset,
            type_,
            readers=() if "hidden" in words else kinds,
            writers=kinds if "writable" in words else (),
            role=next((role for role in _ROLES if role in words), ""),
            low=BE16 if "low16" in words else None,
            nullable="nullable" in words,
            since="6.12" if "6.12" in words else "6.1",
        )
    return Context(name, class_name, size, fields)


CONTEXTS: dict[str, Context] = {
    context.name: context
    for context in (
        _context("__sk_buff", "SkSkb", 192, _SK_BUFF),
        _context("sk_msg_md", "SkMsg", 80, _SK_MSG),
        _context("bpf_sock_ops", "SockOps", 224, _SOCK_OPS),
    )
}

# The bits that the kernel keeps of a field that is written, where they are fewer than those of the field
# (`bpf_convert_ctx_access` in net/core/filter.c of Linux 6.12).
KEPT = {"tc_index": 0xFFFF}
