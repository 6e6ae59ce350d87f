"""Of two neighbouring ports serve the even one: pass what comes from a socket that is connected to it."""

from skverdict.dsl import SK_DROP, SK_PASS, SkSkb, SockMap, Struct, be16, be32, i32, stream_verdict, u16
from skverdict.dsl.constants import BPF_F_CURRENT_NETNS
from skverdict.dsl.helpers import bpf_sk_lookup_tcp, bpf_sk_release


class Tuple4(Struct):
    source: be32
    destination: be32
    source_port: be16
    destination_port: be16


sockets = SockMap(max_entries=64)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    ends = Tuple4(
        source=skb.local_ip4,
        destination=skb.remote_ip4,
        source_port=be16(u16(skb.local_port & ~1)),
        destination_port=be16(u16(skb.remote_port.host())),
    )
    sk = bpf_sk_lookup_tcp(skb, ends, 12, BPF_F_CURRENT_NETNS, 0)
    if sk is None:
        return SK_DROP
    bpf_sk_release(sk)
    return SK_PASS
