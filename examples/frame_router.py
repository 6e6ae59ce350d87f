"""Deliver each frame of a stream to the worker for its kind, whatever segments the frames come in.

A frame is a header of four bytes, the length of what follows and its kind, and the payload. The framing goes
with the kernel's parser, since every frame is redirected or dropped.
"""

from skverdict.dsl import SK_DROP, Message, SockMap, Struct, be16, framed, i32

KINDS = 4


class Header(Struct):
    payload: be16
    kind: be16


workers = SockMap(max_entries=KINDS)
clients = SockMap(max_entries=1024)


def frame_length(msg: Message) -> i32:
    header = msg.data.view(Header, 0)
    return 0 if header is None else 4 + i32(header.payload.host())


@framed(frame_length, look=4)
def to_worker(msg: Message) -> i32:
    header = msg.data.view(Header, 0)
    if header is None or header.kind.host() >= KINDS:
        return SK_DROP
    return workers.redirect(msg, header.kind.host())
