"""Let a server see only the commands of an allow-list, however a client cuts them into segments.

A command is one byte that tells how long the rest is, a word, and arguments. The commands pass to the server's own
socket, so the framing does without the kernel's parser: the first command that is not on the list ends the
connection, and no later byte of it arrives.
"""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, Message, SockMap, framed, i32, u64

servers = SockMap(max_entries=1024)
refused = ArrayMap(value=u64, max_entries=1)


def command_length(msg: Message) -> i32:
    first = msg.data[0]
    return 0 if first is None else 1 + i32(first)


@framed(command_length, look=6)
def allow(msg: Message) -> i32:
    if msg.data[1:5] == b"GET " or msg.data[1:6] in (b"LIST ", b"QUIT\n"):
        return SK_PASS
    count = refused.lookup(0)
    if count is not None:
        count.value += 1
    return SK_DROP
