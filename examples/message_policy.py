"""Judge what an application sends, by record: `kind` and `length` in network byte order, then `length` bytes.

`whole_records` corks until the last record of a message is complete, walks all of them and judges them
together: records may be cut anywhere. It pulls first, since the pieces of a corked message need not lie side
by side, and only the first of them can be read. It looks again at each new piece, since a message of too many
pieces is sent, corked or not.

`announced_size` needs each header in one piece at the start of a `send`; one verdict then holds for the
record, whatever number of sends its body takes. It takes the last apply back first, since a drop would count
only so many bytes as refused.

Attach one or the other to `watched`. No program here both corks and applies: what an apply leaves over of a
message must not be corked, since the kernel then loses bytes or sends wrong ones.
"""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    SkMsg,
    SockMap,
    Struct,
    be32,
    i32,
    inline,
    msg_verdict,
    u32,
    u64,
)

MAX_BODY = 4096
MAX_RECORDS = 8
KIND_DATA = 1
KIND_PING = 2


class Header(Struct):
    kind: be32
    length: be32


watched = SockMap(max_entries=64)
accepted = ArrayMap(value=u64, max_entries=3)  # records that passed, by kind


@inline
def count(kind: u32) -> None:
    passed = accepted.lookup(kind)
    if passed is not None:
        passed.value += 1


@msg_verdict
def whole_records(msg: SkMsg) -> i32:
    if msg.pull_data(0, msg.size, 0) != 0:
        return SK_DROP
    offset: u32 = 0
    for _ in range(MAX_RECORDS):
        header = msg.data.view(Header, offset)
        if header is None:
            msg.cork_bytes(msg.size + 1)
            return SK_PASS
        kind = header.kind.host()
        length = header.length.host()
        if length > MAX_BODY or kind not in (KIND_DATA, KIND_PING):
            return SK_DROP
        offset += 8 + length
        if offset == msg.size:
            msg.cork_bytes(0)  # else the next message would be held to what this one has asked for
            return SK_PASS
        if offset > msg.size:
            msg.cork_bytes(msg.size + 1)
            return SK_PASS
    return SK_DROP


@msg_verdict
def announced_size(msg: SkMsg) -> i32:
    msg.apply_bytes(0)
    header = msg.data.view(Header, 0)
    if header is None:
        return SK_DROP
    kind = header.kind.host()
    length = header.length.host()
    if length > MAX_BODY or kind not in (KIND_DATA, KIND_PING):
        return SK_DROP
    msg.apply_bytes(8 + length)
    count(kind)
    return SK_PASS
