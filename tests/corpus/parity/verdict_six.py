"""Redirect by the client's IPv6 address, or by its IPv4 address written as IPv6 writes it."""

from skverdict.dsl import (
    AF_INET,
    AF_INET6,
    BPF_F_INGRESS,
    SK_DROP,
    Array,
    SkSkb,
    SockHash,
    Struct,
    be32,
    i32,
    skb_verdict,
    u32,
)


class Client(Struct):
    address: Array[be32, 4]
    port: u32


homes = SockHash(key=Client, max_entries=1024)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    client = Client(port=skb.local_port)
    if skb.family == AF_INET6:
        client.address[0] = skb.remote_ip6[0]
        client.address[1] = skb.remote_ip6[1]
        client.address[2] = skb.remote_ip6[2]
        client.address[3] = skb.remote_ip6[3]
    elif skb.family == AF_INET:
        client.address[2] = be32(0xFFFF)
        client.address[3] = skb.remote_ip4
    else:
        return SK_DROP
    return homes.redirect(skb, client, BPF_F_INGRESS)
