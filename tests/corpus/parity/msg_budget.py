"""Let bytes through for which somebody has put a permit in, and remember the sizes of what was refused."""

from skverdict.dsl import SK_DROP, SK_PASS, Queue, SkMsg, SockMap, Stack, i32, msg_verdict, u32

sockets = SockMap(max_entries=64)
permits = Queue(value=u32, max_entries=8)
refused = Stack(value=u32, max_entries=8)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    if msg.size < 4:
        permits.push(msg.size)
        return SK_PASS
    following = permits.peek()
    if following is None or following.value == 0:
        refused.push(msg.size, 2)  # BPF_EXIST: the oldest one makes room
        return SK_DROP
    permit = permits.pop()
    if permit is None:
        return SK_DROP
    msg.apply_bytes(permit.value)
    return SK_PASS
