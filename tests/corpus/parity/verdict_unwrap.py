"""Take the eight bytes of a tunnel header off in front, if its magic is right, and forward what is inside."""

from skverdict.dsl import SK_DROP, SkSkb, SockMap, Struct, be16, be32, i32, skb_verdict, u8, u32
from skverdict.dsl.helpers import bpf_skb_adjust_room

MAGIC = 0x7E55
BPF_ADJ_ROOM_NET = 0


class Tunnel(Struct):
    magic: be16
    version: u8
    channel: u8
    length: be32


channels = SockMap(max_entries=256)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.pull_data(8) != 0:
        return SK_DROP
    header = skb.data.view(Tunnel, 0)
    if header is None:
        return SK_DROP
    if header.magic != be16(MAGIC) or header.version != 2:
        return SK_DROP
    if header.length.host() != skb.len - 8:
        return SK_DROP
    channel: u32 = header.channel
    if bpf_skb_adjust_room(skb, -8, BPF_ADJ_ROOM_NET, 0) != 0:
        return SK_DROP
    return channels.redirect(skb, channel)
