"""Give each connection to its tenant's worker: the client's SYN names the tenant in a TCP option of its own.

`tag` runs on the cgroup of the clients, whose `tenant` is set when it is loaded: it writes the number into the SYN, as
an option of kind 254 with a magic number (RFC 6994), and into no other segment. `route` runs on the cgroup of the
servers: a listener keeps the SYN of each connection; once that is established the tenant is read from it and noted in
`tenants`. `hand_on`, attached to `accepted`, gives what comes to the application that waits at the tenant's socket in
`workers`. A connection that names no tenant is an ordinary one, and one whose tenant has no worker loses its bytes.
"""

from skverdict.dsl import (
    BPF_F_INGRESS,
    SK_DROP,
    SK_PASS,
    SOL_TCP,
    TCP_SAVE_SYN,
    Const,
    HashMap,
    SkSkb,
    SockHash,
    SockMap,
    SockOps,
    Struct,
    be16,
    constants,
    i32,
    skb_verdict,
    sock_ops,
    u8,
    u16,
    u32,
    u64,
)

EXPERIMENT, MAGIC, LENGTH = 254, 0x7E4A, 6


class TenantOption(Struct):
    kind: u8
    length: u8
    magic: be16
    tenant: be16


tenant = Const(u16, 0)
tenants = HashMap(key=u64, value=u16, max_entries=4096)
accepted = SockHash(key=u64, max_entries=4096)
workers = SockMap(max_entries=64)


@sock_ops
def tag(skops: SockOps) -> i32:
    if tenant.value == 0:
        return 1
    match skops.op:
        case constants.BPF_SOCK_OPS_TCP_CONNECT_CB:
            skops.cb_flags_set(constants.BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG)
        case constants.BPF_SOCK_OPS_HDR_OPT_LEN_CB:
            skops.reserve_hdr_opt(LENGTH)
        case constants.BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
            option = TenantOption(kind=EXPERIMENT, length=LENGTH, magic=be16(MAGIC), tenant=be16(tenant.value))
            skops.store_hdr_opt(option)
        case constants.BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
            skops.cb_flags_set(0)
        case _:
            pass
    return 1


@sock_ops
def route(skops: SockOps) -> i32:
    if skops.op == constants.BPF_SOCK_OPS_TCP_LISTEN_CB:
        skops.setsockopt(SOL_TCP, TCP_SAVE_SYN, u32(1))
    elif skops.op == constants.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
        option = TenantOption(kind=EXPERIMENT, length=4, magic=be16(MAGIC))
        if skops.load_hdr_opt(option, flags=constants.BPF_LOAD_HDR_OPT_TCP_SYN) == LENGTH:
            cookie = skops.get_socket_cookie()
            tenants.update(cookie, option.tenant.host())
            accepted.update(skops, cookie)
    return 1


@skb_verdict
def hand_on(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS  # the end of the stream
    number = tenants.lookup(skb.get_socket_cookie())
    return SK_DROP if number is None else workers.redirect(skb, number.value, BPF_F_INGRESS)
