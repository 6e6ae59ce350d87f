"""Let the networks in that are allowed, by the longest prefix, and refuse a network inside of one that is not."""

from skverdict.dsl import SK_DROP, SK_PASS, LpmTrie, SkSkb, SockMap, Struct, be32, i32, stream_verdict, u8, u32


class Prefix(Struct):
    length: u32
    address: be32


sockets = SockMap(max_entries=64)
networks = LpmTrie(key=Prefix, value=u8, max_entries=256)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    allowed = networks.lookup(Prefix(length=32, address=skb.remote_ip4))
    if allowed is None or allowed.value == 0:
        return SK_DROP
    return SK_PASS
