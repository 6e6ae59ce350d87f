"""Put a stamp of four bytes in front of each message; a setting sends it on with its flags, else it stays."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkSkb, SockMap, be32, i32, skb_verdict, u32
from skverdict.dsl.helpers import bpf_skb_adjust_room

STAMP = 0x50415353
BPF_ADJ_ROOM_NET = 0
FLAGS = 1

targets = SockMap(max_entries=4)
settings = ArrayMap(value=u32, max_entries=3)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if bpf_skb_adjust_room(skb, 4, BPF_ADJ_ROOM_NET, 0) != 0:
        return SK_DROP
    if skb.pull_data(4) == 0:
        stamp = skb.data.view(be32, 0)
        if stamp is not None:
            stamp.value = be32(STAMP)
    flags = settings.lookup(FLAGS)
    if flags is not None and flags.value != 0:
        return targets.redirect(skb, 0, flags.value)
    return SK_PASS
