"""Slow starters: for its first second a connection may send 64 KiB a message at most, later anything."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    LruHashMap,
    SkMsg,
    SockMap,
    Struct,
    be32,
    i32,
    msg_verdict,
    u32,
    u64,
)
from skverdict.dsl.helpers import bpf_ktime_get_ns

SECOND = 1_000_000_000
YOUNG_LIMIT = 65536


class Ends(Struct):
    remote_ip: be32
    remote_port: be32
    local_ip: be32
    local_port: u32


sockets = SockMap(max_entries=1024)
born = LruHashMap(key=Ends, value=u64, max_entries=1024)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    now = bpf_ktime_get_ns()
    ends = Ends(
        remote_ip=msg.remote_ip4,
        remote_port=msg.remote_port,
        local_ip=msg.local_ip4,
        local_port=msg.local_port,
    )
    first = born.lookup(ends)
    if first is None:
        born.update(ends, now)
    elif now - first.value > SECOND:
        return SK_PASS
    if msg.size > YOUNG_LIMIT:
        return SK_DROP
    return SK_PASS
