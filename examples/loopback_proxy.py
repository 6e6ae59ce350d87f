"""Splice two TCP connections in the kernel: what comes in on one goes out of the other.

A proxy puts each of the two sockets under the cookie of the other: what arrives at a socket is sent by the one
that stands under its cookie. Then no byte passes through the proxy any more. `serve_loopback_proxy.py` is one.
"""

from skverdict.dsl import SK_PASS, SkSkb, SockHash, i32, stream_verdict, u64

peers = SockHash(key=u64, max_entries=1024)


@stream_verdict
def splice(skb: SkSkb) -> i32:
    if skb.len == 0:  # the end of the stream, which the proxy is to see
        return SK_PASS
    return peers.redirect(skb, skb.get_socket_cookie())
