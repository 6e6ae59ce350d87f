"""What a policy imports, and `load_policy`, which compiles one."""

from skverdict.dsl import constants
from skverdict.dsl.atomics import (
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_or,
    atomic_xor,
)
from skverdict.dsl.c_types import c_types
from skverdict.dsl.constants import *  # noqa: F403
from skverdict.dsl.contexts import Message, SkMsg, SkSkb, Sock, SockOps, TcpSock
from skverdict.dsl.decorators import (
    framed,
    inline,
    msg_verdict,
    skb_verdict,
    sock_ops,
    stream_parser,
    stream_verdict,
    subprogram,
)
from skverdict.dsl.errors import Diagnostic, PolicyError, PolicyWarning
from skverdict.dsl.globals import Const, Global
from skverdict.dsl.kernel_structs import bpf_spin_lock, bpf_timer
from skverdict.dsl.layout import sizeof
from skverdict.dsl.maps import (
    ArrayMap,
    ArrayOfMaps,
    BloomFilter,
    Cell,
    HashMap,
    HashOfMaps,
    LpmTrie,
    LruHashMap,
    LruPerCpuHashMap,
    PerCpuArray,
    PerCpuHashMap,
    PerfEventArray,
    ProgramArray,
    Queue,
    RingBuffer,
    SkStorage,
    SockHash,
    SockMap,
    Stack,
)
from skverdict.dsl.policy import Policy, load_policy
from skverdict.dsl.scalars import be16, be32, be64, i8, i16, i32, i64, u8, u16, u32, u64
from skverdict.dsl.structs import Array, Struct

__all__ = [
    "Array",
    "ArrayMap",
    "ArrayOfMaps",
    "BloomFilter",
    "Cell",
    "Const",
    "Diagnostic",
    "Global",
    "HashMap",
    "HashOfMaps",
    "LpmTrie",
    "LruHashMap",
    "LruPerCpuHashMap",
    "Message",
    "PerCpuArray",
    "PerCpuHashMap",
    "PerfEventArray",
    "Policy",
    "PolicyError",
    "PolicyWarning",
    "ProgramArray",
    "Queue",
    "RingBuffer",
    "SkMsg",
    "SkSkb",
    "SkStorage",
    "Sock",
    "SockHash",
    "SockMap",
    "SockOps",
    "Stack",
    "Struct",
    "TcpSock",
    "atomic_add",
    "atomic_and",
    "atomic_compare_exchange",
    "atomic_exchange",
    "atomic_or",
    "atomic_xor",
    "be16",
    "be32",
    "be64",
    "bpf_spin_lock",
    "bpf_timer",
    "c_types",
    "constants",
    "framed",
    "i8",
    "i16",
    "i32",
    "i64",
    "inline",
    "load_policy",
    "msg_verdict",
    "sizeof",
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
