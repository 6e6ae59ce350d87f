"""Decide for as many bytes as user space says, and only once as many are there as it says; without a number, never."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkMsg, SockMap, i32, msg_verdict, u32

APPLY, LEAST = range(2)

sockets = SockMap(max_entries=20)
numbers = ArrayMap(value=u32, max_entries=2)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    least = numbers.lookup(LEAST)
    if least is not None and msg.size < least.value:
        return SK_DROP if msg.cork_bytes(least.value) != 0 else SK_PASS
    apply = numbers.lookup(APPLY)
    if apply is None or msg.apply_bytes(apply.value) != 0:
        return SK_DROP
    return SK_PASS
