"""HTTP by method: reads stay, writes go to the first backend, what is no request is dropped and counted."""

from skverdict.dsl import SK_DROP, SK_PASS, HashMap, SkSkb, SockMap, be32, i32, skb_verdict, u32, u64

GET, HEAD, POST, PUT = 0x47455420, 0x48454144, 0x504F5354, 0x50555420

writers = SockMap(max_entries=1)
refused = HashMap(key=be32, value=u64, max_entries=1024)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    if skb.pull_data(min(skb.len, 4)) != 0:
        return SK_DROP
    word = skb.data.view(be32, 0)
    if word is None:
        return SK_DROP
    method: u32 = word.value.host()
    if method in (GET, HEAD):
        return SK_PASS
    if method in (POST, PUT):
        return writers.redirect(skb, 0)
    times = refused.lookup(skb.remote_ip4)
    if times is None:
        refused.update(skb.remote_ip4, 1)
    else:
        times.value += 1
    return SK_DROP
