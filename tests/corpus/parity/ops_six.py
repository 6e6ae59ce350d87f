"""IPv6 connections by the client's prefix: one entry each in a sockhash, with a limit for each prefix."""

from skverdict.dsl import (
    AF_INET6,
    BPF_ANY,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    Array,
    HashMap,
    SockHash,
    SockOps,
    Struct,
    be32,
    i32,
    sock_ops,
    u32,
)

MOST = 100


class Prefix(Struct):
    high: Array[be32, 2]


class Client(Struct):
    address: Array[be32, 4]
    port: be32


clients = SockHash(key=Client, max_entries=8192)
counts = HashMap(key=Prefix, value=u32, max_entries=8192)


@sock_ops
def admit(skops: SockOps) -> i32:
    if skops.op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB or skops.family != AF_INET6:
        return 1
    prefix = Prefix()
    prefix.high[0] = skops.remote_ip6[0]
    prefix.high[1] = skops.remote_ip6[1]
    count = counts.lookup(prefix)
    if count is None:
        counts.update(prefix, 1)
    elif count.value >= MOST:
        return 1
    else:
        count.value += 1
    client = Client(port=skops.remote_port)
    client.address[0] = skops.remote_ip6[0]
    client.address[1] = skops.remote_ip6[1]
    client.address[2] = skops.remote_ip6[2]
    client.address[3] = skops.remote_ip6[3]
    clients.update(skops, client, BPF_ANY)
    return 1
