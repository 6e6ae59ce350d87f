"""pythonbpf's nearest to examples/port_redirect.py: a parser, a verdict, and one map, which it looks up.

It has neither socket maps nor the redirect helpers, so this policy is less work than skverdict's.
"""

from ctypes import c_int64, c_uint32, c_uint64, c_void_p

from pythonbpf import bpf, bpfglobal, compile, map, section
from pythonbpf.maps import HashMap


@bpf
@map
def ports() -> HashMap:
    return HashMap(key=c_uint32, value=c_uint64, max_entries=2)


@bpf
@section("sk_skb/stream_parser")
def parser(skb: c_void_p) -> c_int64:
    return c_int64(0)


@bpf
@section("sk_skb/stream_verdict")
def verdict(skb: c_void_p) -> c_int64:
    key = 0
    found = ports.lookup(key)
    if found:
        return c_int64(1)
    return c_int64(0)


@bpf
@bpfglobal
def LICENSE() -> str:
    return "GPL"


compile()
