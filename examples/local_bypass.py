"""Short-cut TCP between two sockets of one machine: what one sends is put straight into the other's queue.

`remember` runs on a cgroup and keeps every established IPv4 connection's ends in `endpoints`; `bypass`,
attached to `endpoints`, finds the other end of the sender's connection and redirects to its ingress side. A
connection whose other end is not on this machine is not found and takes the network as usual.
"""

from skverdict.dsl import (
    AF_INET,
    BPF_F_INGRESS,
    BPF_NOEXIST,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    SK_PASS,
    SkMsg,
    SockHash,
    SockOps,
    Struct,
    be32,
    i32,
    msg_verdict,
    sock_ops,
    u32,
)


class Endpoint(Struct):
    local_ip: be32
    remote_ip: be32
    local_port: u32
    remote_port: be32


endpoints = SockHash(key=Endpoint, max_entries=65535)


@sock_ops
def remember(skops: SockOps) -> i32:
    established = skops.op in (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
    if established and skops.family == AF_INET:
        key = Endpoint(
            local_ip=skops.local_ip4,
            remote_ip=skops.remote_ip4,
            local_port=skops.local_port,
            remote_port=skops.remote_port,
        )
        endpoints.update(skops, key, BPF_NOEXIST)
    return 1


@msg_verdict
def bypass(msg: SkMsg) -> i32:
    if msg.family != AF_INET:
        return SK_PASS
    other_end = Endpoint(
        local_ip=msg.remote_ip4,
        remote_ip=msg.local_ip4,
        local_port=msg.remote_port.host(),
        remote_port=be32(msg.local_port),
    )
    _ = endpoints.redirect(msg, other_end, BPF_F_INGRESS)  # if it is not there, TCP brings the bytes as ever
    return SK_PASS
