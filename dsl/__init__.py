"""What a policy imports, and `load_policy`, which compiles one."""

from skverdict.dsl import constants
from skverdict.dsl.c_types import c_types
from skverdict.dsl.constants import *  # noqa: F403
from skverdict.dsl.contexts import SkMsg, SkSkb, SockOps
from skverdict.dsl.decorators import (
    inline,
    msg_verdict,
    skb_verdict,
    sock_ops,
    stream_parser,
    stream_verdict,
    subprogram,
)
from skverdict.dsl.errors import Diagnostic, PolicyError
from skverdict.dsl.globals import Const, Global
from skverdict.dsl.maps import (
    ArrayMap,
    HashMap,
    LruHashMap,
    LruPerCpuHashMap,
    PerCpuArray,
    PerCpuHashMap,
    SockHash,
    SockMap,
)
from skverdict.dsl.policy import Policy, load_policy
from skverdict.dsl.scalars import be16, be32, be64, i8, i16, i32, i64, u8, u16, u32, u64
from skverdict.dsl.structs import Array, Struct

__all__ = [
    "Array",
    "ArrayMap",
    "Const",
    "Diagnostic",
    "Global",
    "HashMap",
    "LruHashMap",
    "LruPerCpuHashMap",
    "PerCpuArray",
    "PerCpuHashMap",
    "Policy",
    "PolicyError",
    "SkMsg",
    "SkSkb",
    "SockHash",
    "SockMap",
    "SockOps",
    "Struct",
    "be16",
    "be32",
    "be64",
    "c_types",
    "i8",
    "i16",
    "i32",
    "i64",
    "inline",
    "load_policy",
    "msg_verdict",
    "skb_verdict",
    "sock_ops",
    "stream_parser",
    "stream_verdict",
    "subprogram",
    "u8",
    "u16",
    "u32",
    "u64",
]

__all__ += constants.__all__
