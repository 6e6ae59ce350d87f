"""DNS over TCP: queries for a blocked first label are dropped, others counted by the label's length."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    HashMap,
    SkSkb,
    SockMap,
    Struct,
    be16,
    be64,
    i32,
    skb_verdict,
    u8,
    u64,
)

RESPONSE = 0x8000


class Query(Struct, packed=True):
    length: be16
    id: be16
    flags: be16
    questions: be16
    answers: be16
    authorities: be16
    additional: be16
    label_length: u8
    label: be64


sockets = SockMap(max_entries=64)
blocked = HashMap(key=be64, value=u8, max_entries=256)  # the label's first eight bytes
lengths = ArrayMap(value=u64, max_entries=64)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len < 23:
        return SK_PASS
    if skb.pull_data(23) != 0:
        return SK_DROP
    query = skb.data.view(Query, 0)
    if query is None:
        return SK_DROP
    if query.flags.host() & RESPONSE or query.questions != be16(1):
        return SK_PASS
    length = query.label_length
    if length > 63:
        return SK_DROP
    if query.label in blocked:
        return SK_DROP
    count = lengths.lookup(length)
    if count is not None:
        count.value += 1
    return SK_PASS
