"""User space chooses the kind of map to redirect by and the flags, or the answer itself; each answer is counted."""

from skverdict.dsl import (
    ArrayMap,
    Global,
    SkMsg,
    SkSkb,
    SockHash,
    SockMap,
    i32,
    msg_verdict,
    skb_verdict,
    u32,
    u64,
)

MAP, HASH = 15, 18

by_index = SockMap(max_entries=2)
by_name = SockHash(key=u32, max_entries=2)
answers = ArrayMap(value=u32, max_entries=2)
choice = Global(i32, MAP)
flags = Global(u64)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    answer: i32 = choice.value
    if choice.value == MAP:
        answer = by_index.redirect(skb, 0, flags.value)
    elif choice.value == HASH:
        answer = by_name.redirect(skb, 0, flags.value)
    count = answers.lookup(u32(answer))
    if count is not None:
        count.value += 1
    return answer


@msg_verdict
def sender(msg: SkMsg) -> i32:
    answer: i32 = choice.value
    if choice.value == MAP:
        answer = by_index.redirect(msg, 0, flags.value)
    elif choice.value == HASH:
        answer = by_name.redirect(msg, 0, flags.value)
    count = answers.lookup(u32(answer))
    if count is not None:
        count.value += 1
    return answer
