"""TLS or not: a ClientHello goes to a terminator, other records pass, plain text is refused."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    PerCpuArray,
    SkSkb,
    SockMap,
    Struct,
    i32,
    inline,
    skb_verdict,
    u8,
    u32,
    u64,
)

HANDSHAKE, CLIENT_HELLO = 22, 1
HELLO, RECORD, PLAIN, SHORT = 0, 1, 2, 3


class Record(Struct):
    kind: u8
    major: u8
    minor: u8
    length_high: u8
    length_low: u8
    message: u8


terminators = SockMap(max_entries=4)
seen = PerCpuArray(value=u64, max_entries=4)


@inline
def count(what: u32) -> None:
    number = seen.lookup(what)
    if number is not None:
        number.value += 1


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    if skb.pull_data(min(skb.len, 6)) != 0:
        return SK_DROP
    record = skb.data.view(Record, 0)
    if record is None:
        count(SHORT)
        return SK_PASS
    if record.major != 3 or record.minor > 4 or not 20 <= record.kind <= 24:
        count(PLAIN)
        return SK_DROP
    if record.kind == HANDSHAKE and record.message == CLIENT_HELLO:
        count(HELLO)
        return terminators.redirect(skb, skb.hash & 3)
    count(RECORD)
    return SK_PASS
