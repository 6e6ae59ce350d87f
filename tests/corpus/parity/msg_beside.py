"""Count beside each socket what it sends, and cut it off after forty bytes."""

from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SkStorage, SockMap, i32, msg_verdict, u64
from skverdict.dsl.constants import BPF_SK_STORAGE_GET_F_CREATE

MOST = 40

sockets = SockMap(max_entries=64)
sent = SkStorage(value=u64)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    sk = msg.sk
    if sk is None:
        return SK_DROP
    total = sent.get(sk, flags=BPF_SK_STORAGE_GET_F_CREATE)
    if total is None:
        return SK_DROP
    total.value += msg.size
    return SK_PASS if total.value <= MOST else SK_DROP
