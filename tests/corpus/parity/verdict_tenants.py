"""Each tenant, by its port, has its own table of clients, in which each client's segments are counted."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayOfMaps, HashMap, SkSkb, SockMap, be32, i32, stream_verdict, u64

sockets = SockMap(max_entries=64)
first = HashMap(key=be32, value=u64, max_entries=16)
second = HashMap(key=be32, value=u64, max_entries=16)
tenants = ArrayOfMaps(inner=first, max_entries=4, maps=[first, second])


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    clients = tenants.lookup(skb.local_port & 3)
    if clients is None:
        return SK_DROP
    count = clients.lookup(skb.remote_ip4)
    if count is None:
        clients.update(skb.remote_ip4, 1)
        return SK_PASS
    count.value += 1
    return SK_PASS if count.value < 3 else SK_DROP
