"""Print what each message begins with, and how long it is; what has no eight bytes to look at is dropped."""

from skverdict.dsl import SK_DROP, SK_PASS, Array, SkMsg, SockMap, Struct, i32, msg_verdict, u8


class First(Struct):
    bytes: Array[u8, 8]


sockets = SockMap(max_entries=20)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    first = msg.data.view(First, 0)
    if first is None:
        return SK_DROP
    print(f"size {msg.size}")
    print(f"begins {first.bytes[0]} {first.bytes[1]}")
    return SK_PASS
