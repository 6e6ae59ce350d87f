"""Redirect by connection: the sockhash sample of the kernel's sockmap page.

The key is the connection's addresses and ports as the receiving socket sees them, both ports in network byte
order in the low half of a 32-bit word. Sockets are looked up by that key, so the redirect target of a
connection is whatever user space stored under it.
"""

from skverdict.dsl import SkSkb, SockHash, Struct, be32, i32, inline, stream_parser, stream_verdict, u32


class SocketKey(Struct):
    src_ip: be32
    dst_ip: be32
    src_port: u32
    dst_port: u32


sock_hash_rx = SockHash(key=SocketKey, max_entries=1024)


@inline
def extract_socket_key(skb: SkSkb, key: SocketKey) -> None:
    key.src_ip = skb.remote_ip4
    key.dst_ip = skb.local_ip4
    key.src_port = skb.remote_port.raw() >> 16
    key.dst_port = be32(skb.local_port).raw() >> 16


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    key = SocketKey()
    extract_socket_key(skb, key)
    return sock_hash_rx.redirect(skb, key)
