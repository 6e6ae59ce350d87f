"""A policy that reads the kernel's own structures, which it declares with fewer members and in another order."""

from skverdict.dsl import (
    SK_PASS,
    Array,
    ArrayMap,
    SkMsg,
    SkSkb,
    SockMap,
    Struct,
    c_types,
    i32,
    msg_verdict,
    stream_verdict,
    u8,
    u32,
)
from skverdict.dsl.helpers import bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_skc_to_tcp_sock

kernel = c_types(
    """
    struct sock_common {
        unsigned short skc_num;
        __be16 skc_dport;
        __be32 skc_daddr;
    };
    struct sock { struct sock_common __sk_common; };
    struct inet_sock { struct sock sk; };
    struct inet_connection_sock { struct inet_sock icsk_inet; };
    struct tcp_sock { struct inet_connection_sock inet_conn; };
    struct task_struct {
        char comm[16];
        struct task_struct *group_leader;
        int tgid;
        int never_in_any_kernel;
    };
    """,
    core=True,
)


class Seen(Struct):
    name: Array[u8, 16]
    process: u32
    leader: u32
    first: u8
    absent: u8
    port: u32
    peer_port: u32
    peer: u32


watched = SockMap(max_entries=4)
seen = ArrayMap(value=Seen, max_entries=2)


@msg_verdict
def sender(msg: SkMsg) -> i32:
    task = bpf_get_current_task_btf()
    leader = task.group_leader
    tcp = bpf_skc_to_tcp_sock(msg.sk)
    if leader is None or tcp is None:
        return SK_PASS
    found = Seen(process=u32(task.tgid), leader=u32(leader.tgid), first=task.comm[0])
    if hasattr(task, "never_in_any_kernel"):
        found.absent = u8(task.never_in_any_kernel & 1)
    else:
        found.absent = 77
    bpf_probe_read_kernel(found.name, 16, task.comm)
    common = tcp.inet_conn.icsk_inet.sk.__sk_common
    found.port = u32(common.skc_num)
    found.peer_port = u32(common.skc_dport.host())
    found.peer = common.skc_daddr.host()
    seen.update(0, found)
    return SK_PASS


@stream_verdict
def receiver(skb: SkSkb) -> i32:
    socket = skb.sk
    if socket is None:
        return SK_PASS
    tcp = bpf_skc_to_tcp_sock(socket)
    if tcp is None:
        return SK_PASS
    common = tcp.inet_conn.icsk_inet.sk.__sk_common
    seen.update(1, Seen(port=u32(common.skc_num), peer_port=u32(common.skc_dport.host())))
    return SK_PASS
