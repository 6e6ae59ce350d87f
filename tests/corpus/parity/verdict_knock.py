"""A service opens to a client that sent the three secret words in order, each as a message of its own."""

from skverdict.dsl import SK_DROP, SK_PASS, LruHashMap, SkSkb, SockMap, be32, i32, skb_verdict, u8

FIRST, SECOND, THIRD = 0x616C7068, 0x62657461, 0x67616D6D
OPEN = 3

sockets = SockMap(max_entries=64)
progress = LruHashMap(key=be32, value=u8, max_entries=1024)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    known = progress.lookup(skb.remote_ip4)
    step: u8 = 0
    if known is not None:
        step = known.value
    if step == OPEN:
        return SK_PASS
    if skb.pull_data(4) != 0:
        return SK_DROP
    word = skb.data.view(be32, 0)
    if word is None:
        return SK_DROP
    expected = FIRST if step == 0 else SECOND if step == 1 else THIRD
    if word.value == be32(expected):
        step += 1
    else:
        step = 0
    progress.update(skb.remote_ip4, step)
    return SK_DROP
