"""What begins with "to " and a letter goes to the socket of that letter; what begins with "no " is dropped."""

from skverdict.dsl import SK_DROP, SK_PASS, Array, SkSkb, SockMap, Struct, i32, stream_verdict, u8
from skverdict.dsl.helpers import bpf_skb_load_bytes, bpf_strncmp


class Text(Struct):
    bytes: Array[u8, 4]


targets = SockMap(max_entries=32)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    text = Text()
    if bpf_skb_load_bytes(skb, 0, text, 4) != 0:
        return SK_PASS
    if bpf_strncmp(text, 3, "no ") == 0:
        return SK_DROP
    if bpf_strncmp(text, 3, "to ") != 0:
        return SK_PASS
    return targets.redirect(skb, text.bytes[3] & 31)
