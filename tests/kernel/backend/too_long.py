"""A policy whose loop the verifier does not follow to its end; how far it goes is up to user space."""

from skverdict.dsl import SK_PASS, ArrayMap, Const, SkSkb, SockMap, i32, stream_verdict, u32, u64

turns = Const(u32, 1_000_000)
sockets = SockMap(max_entries=1)
sums = ArrayMap(value=u64, max_entries=4096)


@stream_verdict
def add_up(skb: SkSkb) -> i32:
    for index in range(1_000_000):
        if index >= turns.value:
            break
        entry = sums.lookup(u32(index) % 4096)
        if entry is not None and entry.value != 0:  # some step of this loop is one too many
            entry.value += u64(skb.len)
    return SK_PASS
