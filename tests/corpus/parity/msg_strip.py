"""Remove the padding that an old library puts behind its records, and the two bytes that count it."""

from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SockMap, be16, i32, msg_verdict, u32

MOST = 255

sockets = SockMap(max_entries=64)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    size = msg.size
    if msg.pull_data(0, 2) != 0:
        return SK_DROP
    field = msg.data.view(be16, 0)
    if field is None:
        return SK_DROP
    padding: u32 = field.value.host()
    if padding > MOST or padding + 2 > size:
        return SK_DROP
    if padding != 0 and msg.pop_data(size - padding, padding) != 0:
        return SK_DROP
    if msg.pop_data(0, 2) != 0:
        return SK_DROP
    return SK_PASS
