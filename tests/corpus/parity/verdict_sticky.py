"""Keep each connection at the backend that it was given at random with its first message."""

from skverdict.dsl import LruHashMap, SkSkb, SockMap, i32, stream_parser, stream_verdict, u32, u64
from skverdict.dsl.helpers import bpf_get_prandom_u32

BACKENDS = 8

backends = SockMap(max_entries=BACKENDS)
chosen = LruHashMap(key=u64, value=u32, max_entries=65536)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    connection = skb.get_socket_cookie()
    known = chosen.lookup(connection)
    if known is not None:
        return backends.redirect(skb, known.value)
    backend = bpf_get_prandom_u32() % BACKENDS
    chosen.update(connection, backend)
    return backends.redirect(skb, backend)
