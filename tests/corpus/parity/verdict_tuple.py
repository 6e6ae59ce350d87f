"""Redirect by the connection's IPv4 four-tuple; one setting chooses between egress and ingress for all."""

from skverdict.dsl import (
    AF_INET,
    SK_PASS,
    ArrayMap,
    SkSkb,
    SockHash,
    Struct,
    be32,
    i32,
    stream_parser,
    stream_verdict,
    u32,
    u64,
)


class Connection(Struct):
    remote_ip: be32
    local_ip: be32
    remote_port: be32
    local_port: u32


peers = SockHash(key=Connection, max_entries=4096)
flags = ArrayMap(value=u64, max_entries=1)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.family != AF_INET:
        return SK_PASS
    how = flags.lookup(0)
    if how is None:
        return SK_PASS
    connection = Connection(
        remote_ip=skb.remote_ip4,
        local_ip=skb.local_ip4,
        remote_port=skb.remote_port,
        local_port=skb.local_port,
    )
    return peers.redirect(skb, connection, how.value)
