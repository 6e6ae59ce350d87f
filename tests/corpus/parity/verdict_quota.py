"""So many bytes for each connection: what is over is dropped, and user space hears of it by a flag."""

from skverdict.dsl import SK_DROP, SK_PASS, HashMap, SkSkb, SockMap, Struct, i32, skb_verdict, u32, u64
from skverdict.dsl.helpers import bpf_get_socket_cookie


class Account(Struct):
    used: u64
    limit: u64
    over: u32
    refused: u32


sockets = SockMap(max_entries=512)
accounts = HashMap(key=u64, value=Account, max_entries=512)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    account = accounts.lookup(bpf_get_socket_cookie(skb))
    if account is None:
        return SK_PASS
    length: u64 = skb.len
    if account.used + length > account.limit:
        account.over = 1
        account.refused += 1
        return SK_DROP
    account.used += length
    return SK_PASS
