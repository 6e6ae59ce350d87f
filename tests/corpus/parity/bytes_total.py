"""Throughput: count all bytes, in both directions, in one number; redirect everything to the next socket."""

from skverdict.dsl import (
    SK_DROP,
    Global,
    SkMsg,
    SkSkb,
    SockMap,
    atomic_add,
    i32,
    msg_verdict,
    stream_parser,
    stream_verdict,
    u32,
    u64,
)

received = SockMap(max_entries=20)
sent = SockMap(max_entries=20)
total = Global(u64)
direction = Global(u64)
dropped = Global(u32)
length = Global(i32, 4)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return length.value


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    answer = received.redirect(skb, 1, direction.value)
    if answer == SK_DROP:
        dropped.value += 1
    atomic_add(total.value, skb.len)
    return answer


@msg_verdict
def sender(msg: SkMsg) -> i32:
    atomic_add(total.value, msg.size)
    return sent.redirect(msg, 1, direction.value)
