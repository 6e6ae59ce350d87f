"""Tell user space of every call of send, on the CPU it happens, and how long the first word says it is."""

from skverdict.dsl import SK_PASS, PerfEventArray, SkMsg, SockMap, Struct, i32, msg_verdict, u32

ABSENT = 0xFFFFFFFF


class Sent(Struct):
    port: u32
    size: u32
    kind: u32


sockets = SockMap(max_entries=64)
events = PerfEventArray()


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    sent = Sent(port=msg.local_port, size=msg.size, kind=ABSENT)
    if msg.pull_data(0, 1) == 0:
        kind = msg.data[0]
        if kind is not None:
            sent.kind = kind
    events.output(msg, sent)
    return SK_PASS
