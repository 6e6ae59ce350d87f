"""Program kinds: how libbpf names their section, what context they get, and the kernel's numbers for them.

Numbers are `enum bpf_prog_type` and `enum bpf_attach_type` of include/uapi/linux/bpf.h (Linux 6.12); section
names are libbpf's `section_defs`.
"""

from __future__ import annotations

from typing import NamedTuple


class Program(NamedTuple):
    """One program kind; `context` names a table of `contexts.CONTEXTS`."""

    kind: str
    section: str
    context: str
    prog_type: int
    attach_type: int


# The kernels that were measured, oldest first; a `since` anywhere in the catalogue is one of them.
KERNELS = ("6.1", "6.12", "7.2")

BPF_PROG_TYPE_SOCK_OPS = 13
BPF_PROG_TYPE_SK_SKB = 14
BPF_PROG_TYPE_SK_MSG = 16

PROGRAMS: dict[str, Program] = {
    program.kind: program
    for program in (
        Program("stream_parser", "sk_skb/stream_parser", "__sk_buff", BPF_PROG_TYPE_SK_SKB, 4),
        Program("stream_verdict", "sk_skb/stream_verdict", "__sk_buff", BPF_PROG_TYPE_SK_SKB, 5),
        Program("skb_verdict", "sk_skb/verdict", "__sk_buff", BPF_PROG_TYPE_SK_SKB, 38),
        Program("msg_verdict", "sk_msg", "sk_msg_md", BPF_PROG_TYPE_SK_MSG, 7),
        Program("sock_ops", "sockops", "bpf_sock_ops", BPF_PROG_TYPE_SOCK_OPS, 3),
    )
}
