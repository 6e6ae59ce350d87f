"""A line protocol on its way out: QUIT is refused, AUTH corked until a line may be there, HELP passes."""

from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SockMap, be32, i32, msg_verdict

AUTH, HELP, QUIT = 0x41555448, 0x48454C50, 0x51554954
LINE = 64

sockets = SockMap(max_entries=64)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    command = msg.data.view(be32, 0)
    if command is None:
        msg.cork_bytes(4)
        return SK_PASS
    word = command.value
    if word == be32(QUIT):
        return SK_DROP
    if word == be32(HELP):
        msg.apply_bytes(msg.size)
        return SK_PASS
    if word == be32(AUTH):
        if msg.size < LINE:
            msg.cork_bytes(LINE)
        return SK_PASS
    return SK_DROP
