"""Note beside a socket which process sends, for as long as the decision takes; user space names one that may not."""

from skverdict.dsl import SK_DROP, SK_PASS, Global, SkMsg, SkStorage, SockMap, i32, msg_verdict, u32, u64
from skverdict.dsl.constants import BPF_SK_STORAGE_GET_F_CREATE
from skverdict.dsl.helpers import bpf_get_current_pid_tgid

sockets = SockMap(max_entries=2)
senders = SkStorage(value=u64)
refused = Global(u32, 1)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    process = u32(bpf_get_current_pid_tgid() >> 32)
    sender = senders.get(msg.sk, flags=BPF_SK_STORAGE_GET_F_CREATE)
    if sender is None:
        return SK_DROP
    sender.value = process
    senders.delete(msg.sk)
    return SK_DROP if process == refused.value else SK_PASS
