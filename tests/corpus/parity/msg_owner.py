"""Count bytes by the user that sends them, and let only the users that are listed send at all."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    HashMap,
    LruPerCpuHashMap,
    SkMsg,
    SockMap,
    i32,
    msg_verdict,
    u32,
    u64,
)
from skverdict.dsl.helpers import bpf_get_current_uid_gid

sockets = SockMap(max_entries=64)
users = HashMap(key=u32, value=u32, max_entries=64)
bytes_by_user = LruPerCpuHashMap(key=u32, value=u64, max_entries=1024)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    user = u32(bpf_get_current_uid_gid())
    if user != 0 and user not in users:
        return SK_DROP
    total = bytes_by_user.lookup(user)
    if total is None:
        bytes_by_user.update(user, msg.size)
    else:
        total.value += msg.size
    return SK_PASS
