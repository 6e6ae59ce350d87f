"""Ports belong to zones that user space puts in, each with the sizes that may be sent in it."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, HashOfMaps, SkMsg, SockMap, i32, msg_verdict, u32

sockets = SockMap(max_entries=64)
sizes = ArrayMap(value=u32, max_entries=2)
zones = HashOfMaps(key=u32, inner=sizes, max_entries=16)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    zone = zones.lookup(msg.remote_port.host())
    if zone is None:
        return SK_PASS
    least = zone.lookup(0)
    if least is None or msg.size < least.value:
        return SK_DROP
    return SK_PASS
