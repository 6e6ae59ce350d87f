"""Redirect what is sent: user space sets how much one decision holds for, the target, and the side."""

from skverdict.dsl import SK_DROP, ArrayMap, SkMsg, SockMap, Struct, i32, msg_verdict, u32, u64


class Route(Struct):
    flags: u64
    target: u32
    apply: u32
    cork: u32
    enabled: u32


targets = SockMap(max_entries=20)
routes = ArrayMap(value=Route, max_entries=1)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    route = routes.lookup(0)
    if route is None or route.enabled == 0:
        return SK_DROP
    if route.apply != 0:
        msg.apply_bytes(route.apply)
    if route.cork != 0:
        msg.cork_bytes(route.cork)
    return targets.redirect(msg, route.target, route.flags)
