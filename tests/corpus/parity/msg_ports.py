"""What an application may send where: each remote port has a rule, some hold for this machine only."""

from skverdict.dsl import AF_INET, SK_DROP, SK_PASS, HashMap, SkMsg, SockMap, i32, msg_verdict, u8, u32

LOOPBACK, MASK = 0x7F000000, 0xFF000000
DENY, LOCAL, ALLOW = 0, 1, 2

sockets = SockMap(max_entries=256)
rules = HashMap(key=u32, value=u8, max_entries=256)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    if msg.family != AF_INET:
        return SK_DROP
    rule = rules.lookup(msg.remote_port.host())
    if rule is None or rule.value == DENY:
        return SK_DROP
    if rule.value == ALLOW:
        return SK_PASS
    if msg.remote_ip4.host() & MASK == LOOPBACK:
        return SK_PASS
    return SK_DROP
