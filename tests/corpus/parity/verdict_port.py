"""A verdict by port: two local services have a backend each, all else goes by the client's port."""

from skverdict.dsl import SK_DROP, SkSkb, SockMap, i32, stream_parser, stream_verdict

WEB, MAIL = 10000, 10001

sockets = SockMap(max_entries=16)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.local_port == WEB:
        return sockets.redirect(skb, 0)
    if skb.local_port == MAIL:
        return sockets.redirect(skb, 1)
    port = skb.remote_port.host()
    if port < 1024:
        return SK_DROP
    return sockets.redirect(skb, port % 14 + 2)
