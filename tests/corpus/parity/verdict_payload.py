"""A verdict by payload: the first bytes name the target, and are overwritten before the message moves on.

Byte 0 is the index in `targets`, byte 1 bit 0 asks for the ingress side, bytes 4 to 7 are set to a stamp.
"""

from skverdict.dsl import BPF_F_INGRESS, SK_DROP, SkSkb, SockMap, Struct, be32, i32, stream_verdict, u8, u32

STAMP = 0xC0DEC0DE


class Request(Struct):
    target: u8
    flags: u8
    spare: u8
    version: u8
    stamp: be32


targets = SockMap(max_entries=20)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.pull_data(8) != 0:
        return SK_DROP
    request = skb.data.view(Request, 0)
    if request is None or request.version != 1:
        return SK_DROP
    request.stamp = be32(STAMP)
    target: u32 = request.target
    if request.flags & 1:
        return targets.redirect(skb, target, BPF_F_INGRESS)
    return targets.redirect(skb, target)
