"""What a program is given, as editors and type checkers see it: the kernel's fields and helpers."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, overload

from skverdict.dsl.maps import Cell, PerfEventArray, ProgramArray, SockHash, SockMap
from skverdict.dsl.scalars import be16, be32, i32, i64, u8, u32, u64
from skverdict.dsl.structs import Struct

S = TypeVar("S", bound=Struct)
T = TypeVar("T")
K = TypeVar("K")

class PacketBytes(Protocol):
    """A slice of the packet: it equals, begins with or holds what the packet has there."""

    def __eq__(self, other: object, /) -> bool: ...
    def __contains__(self, content: bytes, /) -> bool: ...
    def startswith(self, prefix: bytes | tuple[bytes, ...], /) -> bool: ...

# To type checkers it is bytes, else they find that no case of `match skb.data:` ever fits.
class PacketData(bytes):
    """The readable bytes of the packet or message.

    Of the methods of bytes only `startswith` is there.
    """

    content: bytearray
    def __init__(self, content: bytes = b"") -> None: ...
    @overload  # type: ignore[override]
    def __getitem__(self, index: int) -> u8 | None:
        """The byte at `index`, or None where the packet ends before it."""
    @overload
    def __getitem__(self, index: slice) -> PacketBytes: ...
    @overload
    def view(self, type: type[S], offset: u32) -> S | None: ...  # type: ignore[overload-overlap]
    @overload
    def view(self, type: type[T], offset: u32) -> Cell[T] | None:
        """The `type` at `offset` bytes, or None where the packet ends before its end."""

class Message:
    """A message of a stream, for the functions of `@framed`."""

    def __init__(self, *, data: bytes = ..., length: int = 0, **fields: object) -> None:
        """One to test functions with, in ordinary Python: fields that are not given are zero."""

    @property
    def data(self) -> PacketData:
        """Its first bytes, as far as they are looked at (`look`) and are there."""
    @property
    def length(self) -> u32:
        """Its length in bytes, 1 to 2147483647; not known yet in the function that tells it."""
    @property
    def family(self) -> u32: ...
    @property
    def remote_ip4(self) -> be32: ...
    @property
    def local_ip4(self) -> be32: ...
    @property
    def remote_ip6(self) -> Sequence[be32]: ...
    @property
    def local_ip6(self) -> Sequence[be32]: ...
    @property
    def remote_port(self) -> be32: ...
    @property
    def local_port(self) -> u32: ...
    @property
    def sk(self) -> Sock | None: ...

class Sock:
    """A socket as the kernel shows it to programs: `struct bpf_sock`."""

    bound_dev_if: u32
    family: u32
    type: u32
    protocol: u32
    mark: u32
    priority: u32
    src_ip4: be32
    src_ip6: Sequence[be32]
    src_port: u32
    dst_port: be16
    dst_ip4: be32
    dst_ip6: Sequence[be32]
    state: u32
    rx_queue_mapping: i32

    def release(self) -> None:
        """Give back a socket that was looked up; it is not used afterwards."""

class TcpSock:
    """What TCP knows of a connection: `struct bpf_tcp_sock`, from `bpf_tcp_sock(sk)`."""

    snd_cwnd: u32
    srtt_us: u32
    rtt_min: u32
    snd_ssthresh: u32
    rcv_nxt: u32
    snd_nxt: u32
    snd_una: u32
    mss_cache: u32
    ecn_flags: u32
    rate_delivered: u32
    rate_interval_us: u32
    packets_out: u32
    retrans_out: u32
    total_retrans: u32
    segs_in: u32
    data_segs_in: u32
    segs_out: u32
    data_segs_out: u32
    lost_out: u32
    sacked_out: u32
    bytes_received: u64
    bytes_acked: u64
    dsack_dups: u32
    delivered: u32
    delivered_ce: u32
    icsk_retransmits: u32

class SkSkb:
    """What a socket received: `struct __sk_buff`, for parsers, stream verdicts and `skb_verdict`."""
    def __init__(self, *, data: bytes = ..., **fields: object) -> None:
        """One to test functions with, in ordinary Python: fields that are not given are zero."""

    len: u32
    pkt_type: u32
    queue_mapping: u32
    protocol: be16
    vlan_present: u32
    vlan_tci: u32
    vlan_proto: be16
    priority: u32
    ingress_ifindex: u32
    ifindex: u32
    tc_index: u32
    cb: Sequence[u32]
    hash: u32
    data: PacketData
    napi_id: u32
    family: u32
    remote_ip4: be32
    local_ip4: be32
    remote_ip6: Sequence[be32]
    local_ip6: Sequence[be32]
    remote_port: be32
    local_port: u32
    gso_segs: u32
    sk: Sock | None
    gso_size: u32

    def tail_call(self, prog_array_map: ProgramArray, index: u32) -> None: ...
    def perf_event_output(
        self, map: PerfEventArray, flags: u64 = 0, data: object = ..., size: u64 = ...
    ) -> i64: ...
    def lookup_tcp(
        self, tuple: object, tuple_size: u32 = ..., netns: i64 = ..., flags: u64 = 0
    ) -> Sock | None: ...
    def lookup_udp(
        self, tuple: object, tuple_size: u32 = ..., netns: i64 = ..., flags: u64 = 0
    ) -> Sock | None: ...
    def skc_lookup_tcp(
        self, tuple: object, tuple_size: u32 = ..., netns: i64 = ..., flags: u64 = 0
    ) -> Sock | None: ...
    def store_bytes(self, offset: u32, source: object, len: u32 = ..., flags: u64 = 0) -> i64: ...
    def load_bytes(self, offset: u32, to: object, len: u32 = ...) -> i64: ...
    def change_tail(self, len: u32, flags: u64 = 0) -> i64: ...
    def pull_data(self, len: u32) -> i64: ...
    def change_head(self, len: u32, flags: u64 = 0) -> i64: ...
    def adjust_room(self, len_diff: i32, mode: u32, flags: u64 = 0) -> i64: ...
    def get_socket_cookie(self) -> u64: ...
    def get_socket_uid(self) -> u32: ...
    def get_cgroup_classid(self) -> u32: ...
    def redirect_map(self, map: SockMap, key: u32, flags: u64 = 0) -> i64: ...
    def redirect_hash(self, map: SockHash[K], key: K, flags: u64 = 0) -> i64: ...

class SkMsg:
    """What an application sends: `struct sk_msg_md`, for `msg_verdict`."""
    def __init__(self, *, data: bytes = ..., **fields: object) -> None:
        """One to test functions with, in ordinary Python: fields that are not given are zero."""

    data: PacketData
    family: u32
    remote_ip4: be32
    local_ip4: be32
    remote_ip6: Sequence[be32]
    local_ip6: Sequence[be32]
    remote_port: be32
    local_port: u32
    size: u32
    sk: Sock

    def tail_call(self, prog_array_map: ProgramArray, index: u32) -> None: ...
    def perf_event_output(
        self, map: PerfEventArray, flags: u64 = 0, data: object = ..., size: u64 = ...
    ) -> i64: ...
    def apply_bytes(self, bytes: u32) -> i64: ...
    def cork_bytes(self, bytes: u32) -> i64: ...
    def pull_data(self, start: u32, end: u32, flags: u64 = 0) -> i64: ...
    def push_data(self, start: u32, len: u32, flags: u64 = 0) -> i64: ...
    def pop_data(self, start: u32, len: u32, flags: u64 = 0) -> i64: ...
    def get_cgroup_classid(self) -> u32: ...
    def get_netns_cookie(self) -> u64: ...
    def redirect_map(self, map: SockMap, key: u32, flags: u64 = 0) -> i64: ...
    def redirect_hash(self, map: SockHash[K], key: K, flags: u64 = 0) -> i64: ...

class SockOps:
    """An event in the life of a TCP connection: `struct bpf_sock_ops`, for `sock_ops`."""
    def __init__(self, *, data: bytes = ..., **fields: object) -> None:
        """One to test functions with, in ordinary Python: fields that are not given are zero."""

    op: u32
    args: Sequence[u32]
    reply: u32
    replylong: Sequence[u32]
    family: u32
    remote_ip4: be32
    local_ip4: be32
    remote_ip6: Sequence[be32]
    local_ip6: Sequence[be32]
    remote_port: be32
    local_port: u32
    is_fullsock: u32
    snd_cwnd: u32
    srtt_us: u32
    bpf_sock_ops_cb_flags: u32
    state: u32
    rtt_min: u32
    snd_ssthresh: u32
    rcv_nxt: u32
    snd_nxt: u32
    snd_una: u32
    mss_cache: u32
    ecn_flags: u32
    rate_delivered: u32
    rate_interval_us: u32
    packets_out: u32
    retrans_out: u32
    total_retrans: u32
    segs_in: u32
    data_segs_in: u32
    segs_out: u32
    data_segs_out: u32
    lost_out: u32
    sacked_out: u32
    sk_txhash: u32
    bytes_received: u64
    bytes_acked: u64
    sk: Sock | None
    skb_data: PacketData
    skb_len: u32
    skb_tcp_flags: u32
    skb_hwtstamp: u64

    def tail_call(self, prog_array_map: ProgramArray, index: u32) -> None: ...
    def perf_event_output(
        self, map: PerfEventArray, flags: u64 = 0, data: object = ..., size: u64 = ...
    ) -> i64: ...
    def cb_flags_set(self, argval: i32) -> i64: ...
    def setsockopt(self, level: i32, optname: i32, optval: object, optlen: i32 = ...) -> i64: ...
    def getsockopt(self, level: i32, optname: i32, optval: object, optlen: i32 = ...) -> i64: ...
    def sock_map_update(self, map: SockMap, key: object, flags: u64 = 0) -> i64: ...
    def sock_hash_update(self, map: SockHash[K], key: K, flags: u64 = 0) -> i64: ...
    def load_hdr_opt(self, searchby_res: object, len: u32 = ..., flags: u64 = 0) -> i64: ...
    def store_hdr_opt(self, source: object, len: u32 = ..., flags: u64 = 0) -> i64: ...
    def reserve_hdr_opt(self, len: u32, flags: u64 = 0) -> i64: ...
    def get_socket_cookie(self) -> u64: ...
    def get_cgroup_classid(self) -> u32: ...
    def get_netns_cookie(self) -> u64: ...

FARTHEST: int
MESSAGE_FIELDS: tuple[str, ...]
CONTEXT_CLASSES: dict[type, str]
SOCKET_CLASSES: dict[type, str]
