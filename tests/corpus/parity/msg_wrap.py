"""Put four bytes in front of every message that an application sends: its length, in network order."""

from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SockMap, be32, i32, msg_verdict

sockets = SockMap(max_entries=64)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    size = msg.size
    if msg.push_data(0, 4) != 0:
        return SK_DROP
    if msg.pull_data(0, 4) != 0:
        return SK_DROP
    length = msg.data.view(be32, 0)
    if length is None:
        return SK_DROP
    length.value = be32(size)
    return SK_PASS
