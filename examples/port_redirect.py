"""Send what arrives at local port 10000 out of another socket: the first sample of the kernel's sockmap page.

Attach both programs to `sock_map_rx`; key 0 holds the socket that the traffic leaves through, every socket
put in after that is watched. A socket that was put in before the programs is a plain target.

The kernel's sample passes on what arrives at other ports. Kernels deliver late what passes behind a parser, so that
this policy drops it: only sockets at port 10000 are to be watched.
"""

from skverdict.dsl import SK_DROP, SkSkb, SockMap, i32, stream_parser, stream_verdict

sock_map_rx = SockMap(max_entries=2)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.local_port == 10000:
        return sock_map_rx.redirect(skb, 0)
    return SK_DROP
