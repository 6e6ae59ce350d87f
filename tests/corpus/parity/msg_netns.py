"""Which network namespaces send, and how many messages; the first byte of each message must be printable."""

from skverdict.dsl import SK_DROP, SK_PASS, PerCpuHashMap, SkMsg, SockMap, i32, msg_verdict, u8, u64

sockets = SockMap(max_entries=64)
messages = PerCpuHashMap(key=u64, value=u64, max_entries=64)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    first = msg.data.view(u8, 0)
    if first is None or not 0x20 <= first.value < 0x7F:
        return SK_DROP
    namespace = msg.get_netns_cookie()
    count = messages.lookup(namespace)
    if count is not None:
        count.value += 1
    else:
        messages.update(namespace, 1)
    return SK_PASS
