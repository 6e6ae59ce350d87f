"""Every connection that is established goes into the next place of a sockmap, round robin."""

from skverdict.dsl import (
    BPF_ANY,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    ArrayMap,
    SockMap,
    SockOps,
    i32,
    sock_ops,
    u32,
)

PLACES = 16

sockets = SockMap(max_entries=PLACES)
following = ArrayMap(value=u32, max_entries=1)


@sock_ops
def remember(skops: SockOps) -> i32:
    if skops.op not in (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB):
        return 1
    place = following.lookup(0)
    if place is not None:
        sockets.update(skops, place.value, BPF_ANY)
        place.value = (place.value + 1) % PLACES
    return 1
