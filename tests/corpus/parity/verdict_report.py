"""Report each segment to user space in a ring buffer, but those of one port."""

from skverdict.dsl import SK_PASS, RingBuffer, SkSkb, SockMap, Struct, be32, i32, stream_verdict, u32


class Seen(Struct):
    client: be32
    port: u32
    length: u32


sockets = SockMap(max_entries=64)
reports = RingBuffer(max_entries=4096)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    seen = reports.reserve(Seen)
    if seen is None:
        return SK_PASS
    seen.client = skb.remote_ip4
    seen.port = skb.local_port
    seen.length = skb.len
    if skb.local_port == 10001:
        reports.discard(seen)
    else:
        reports.submit(seen)
    return SK_PASS
