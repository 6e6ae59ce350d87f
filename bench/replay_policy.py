"""As `examples/port_redirect.py`, for many connections at once."""

from skverdict.dsl import SK_DROP, SkSkb, SockMap, i32, stream_parser, stream_verdict

sock_map_rx = SockMap(max_entries=1024)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.local_port == 10000:
        return sock_map_rx.redirect(skb, 0)
    return SK_DROP
