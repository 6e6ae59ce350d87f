"""Judge what an application sends: framed records leave whole, one verdict for each, unknown kinds do not leave.

A record is a header of 8 bytes, `kind` and `length` in network byte order, and `length` bytes of body. The
program corks until the header is there, then until the record is complete, and applies its verdict to exactly
that record, so several records in one `send` are judged one by one.
"""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkMsg, SockMap, Struct, be32, i32, msg_verdict, u64

MAX_BODY = 16 * 1024
KIND_DATA = 1
KIND_PING = 2


class Header(Struct):
    kind: be32
    length: be32


watched = SockMap(max_entries=64)
accepted = ArrayMap(value=u64, max_entries=3)  # records that passed, by kind


@msg_verdict
def records(msg: SkMsg) -> i32:
    header = msg.data.view(Header, 0)
    if header is None:
        msg.cork_bytes(8)
        return SK_PASS
    kind = header.kind.host()
    length = header.length.host()
    if length > MAX_BODY or kind not in (KIND_DATA, KIND_PING):
        return SK_DROP
    if msg.size < 8 + length:
        msg.cork_bytes(8 + length)
        return SK_PASS
    msg.apply_bytes(8 + length)
    count = accepted.lookup(kind)
    if count is not None:
        count.value += 1
    return SK_PASS
