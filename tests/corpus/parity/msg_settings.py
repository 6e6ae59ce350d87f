"""Everything a message program can do to its message, as far as user space has set numbers for it.

`numbers` holds: bytes to apply, bytes to cork, start and end to pull, start and length to push, start and
length to pop. A zero leaves that step out.
"""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkMsg, SockMap, i32, msg_verdict, u32

APPLY, CORK, PULL, PULL_END, PUSH, PUSH_LENGTH, POP, POP_LENGTH = range(8)

sockets = SockMap(max_entries=20)
numbers = ArrayMap(value=u32, max_entries=8)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    apply = numbers.lookup(APPLY)
    if apply is not None and apply.value != 0:
        msg.apply_bytes(apply.value)
    cork = numbers.lookup(CORK)
    if cork is not None and cork.value != 0:
        msg.cork_bytes(cork.value)
    start = numbers.lookup(PULL)
    end = numbers.lookup(PULL_END)
    failed = False
    if start is not None and end is not None and end.value != 0:
        failed = msg.pull_data(start.value, end.value) != 0
    if failed:
        return SK_DROP
    start = numbers.lookup(PUSH)
    length = numbers.lookup(PUSH_LENGTH)
    if start is not None and length is not None and length.value != 0:
        failed = msg.push_data(start.value, length.value) != 0
    if failed:
        return SK_DROP
    start = numbers.lookup(POP)
    length = numbers.lookup(POP_LENGTH)
    if start is not None and length is not None and length.value != 0:
        failed = msg.pop_data(start.value, length.value) != 0
    return SK_DROP if failed else SK_PASS
