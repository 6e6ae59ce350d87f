"""Frames with a length of three bytes and a kind: each frame is decided by its kind, then applied."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkMsg, SockMap, Struct, i32, msg_verdict, u8, u32, u64

HEADER = 9
LARGEST = 16384


class Frame(Struct):
    length_2: u8
    length_1: u8
    length_0: u8
    kind: u8


class Kind(Struct):
    allowed: u32
    spare: u32
    bytes: u64


sockets = SockMap(max_entries=64)
kinds = ArrayMap(value=Kind, max_entries=10)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    frame = msg.data.view(Frame, 0)
    if frame is None:
        msg.cork_bytes(HEADER)
        return SK_PASS
    length = u32(frame.length_2) << 16 | u32(frame.length_1) << 8 | u32(frame.length_0)
    if length > LARGEST:
        return SK_DROP
    kind = kinds.lookup(frame.kind)
    if kind is None or kind.allowed == 0:
        return SK_DROP
    kind.bytes += length + HEADER
    msg.apply_bytes(length + HEADER)
    return SK_PASS
