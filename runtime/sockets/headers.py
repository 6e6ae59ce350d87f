"""Headers of TCP segments, byte by byte, as a Linux loopback connection has them.

Only programs that ask see headers, so none is made for anybody else. Options are those of `tcp_syn_options`,
`tcp_synack_options` and `tcp_established_options` (net/ipv4/tcp_output.c of Linux 6.1, 6.12 and 7.2): segment size,
time stamps, selective acknowledgement and window scale at the handshake, and time stamps from then on. Sequence
numbers begin at 0 on both sides, time stamps count milliseconds of simulated time, windows stay what they are at first,
and the identification of IPv4 packets and the flow label of IPv6 are 0; a kernel chooses these itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets.address import Endpoint, unmapped

if TYPE_CHECKING:
    from skverdict.runtime.sockets.tcp import TcpSocket

#: Flags of a segment (RFC 9293, section 3.1).
FIN, SYN, RST, PUSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

#: Bytes of a header without options, where the flags are in it, and bytes of options at most.
HEADER = 20
FLAGS = 13
#: Where a header has its own length, in words of 4 bytes.
_SIZE = 12
MOST_OPTIONS = 40

#: Kinds of options without a length: the end of them, and one that fills space.
END, NOP = 0, 1
#: Kinds that are told apart by a magic number behind the length (RFC 6994).
EXPERIMENTAL = (253, 254)

_MSS, _WINDOW_SCALE, _SACK_PERMITTED, _SACK, _TIME_STAMP = 2, 3, 4, 5, 8
_MD5, _AUTHENTICATION, _FAST_OPEN, _ACCURATE_ECN = 19, 29, 34, (172, 174)
#: Bytes of an option with an MD5 checksum, and the least of one with RFC 5925's authentication.
_MD5_LENGTH, _LEAST_AUTHENTICATION = 18, 5
#: How kind 254 begins where it is TCP fast open's.
_FAST_OPEN_MAGIC = b"\xf9\x89"
#: Options that each kernel knows whatever they hold.
_BASIC = frozenset((_MSS, _WINDOW_SCALE, _SACK_PERMITTED, _SACK, _TIME_STAMP, _MD5, _FAST_OPEN))
_KNOWN = {
    "6.1": _BASIC,
    "6.12": _BASIC,
    "7.2": _BASIC | {_AUTHENTICATION, *_ACCURATE_ECN},
}

#: By how much windows are shifted: what 6 MiB, the most that a receive buffer grows to, need.
_SCALE = 7
_LARGEST_WINDOW = 0xFFFF
#: By the words of an address: the largest packet on loopback (IPv4's length has 16 bits), and the IP header in it.
_LARGEST_PACKET = {1: 0xFFFF, 4: 0x10000}
_IP_HEADER = {1: 20, 4: 40}
_TIME_STAMP_ROOM = 12
_PROTOCOL, _HOPS = 6, 64
_DONT_FRAGMENT = 0x4000
_ETHERTYPE = {1: 0x0800, 4: 0x86DD}
_MAC_ADDRESSES = bytes(12)
_U32 = 0xFFFFFFFF


class Segment:
    """What a callback sees of a segment: `header` from its first byte on as far as it is written, `length`
    (`skb->len`) and `flags`. `room` is how many bytes of options may be reserved, or stored, yet."""

    __slots__ = ("flags", "header", "length", "room")

    def __init__(self, header: bytes, length: int, flags: int, room: int = 0) -> None:
        self.header = header
        self.length = length
        self.flags = flags
        self.room = room

    @property
    def payload(self) -> int:
        """How many bytes of the stream it carries."""
        return self.length - (self.header[_SIZE] >> 4) * 4 if self.header else self.length


class SynPacket(NamedTuple):
    """A request for a connection, as it arrived: three headers. `mac` is empty where it was not kept."""

    mac: bytes
    network: bytes
    tcp: bytes


def _sum(content: bytes) -> int:
    """The Internet checksum before its complement is taken (RFC 1071)."""
    total = sum(int.from_bytes(content[at : at + 2], "big") for at in range(0, len(content), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _packed(end: Endpoint) -> bytes:
    return b"".join(word.to_bytes(4, "big") for word in unmapped(end).words)


class Draft(NamedTuple):
    """A segment that is to be sent: its numbers, and the options that the kernel writes, a multiple of 4 bytes."""

    flags: int
    sequence: int
    acknowledged: int
    window: int
    options: bytes
    payload: int = 0


def header(socket: TcpSocket, draft: Draft, room: int) -> bytes:
    """The header with which `draft` leaves `socket`, as far as the kernel writes it: `room` bytes of options more are
    yet to come."""
    size = (HEADER + len(draft.options) + room) // 4
    return b"".join(
        (
            socket.local.port.to_bytes(2, "big"),
            socket.remote.port.to_bytes(2, "big"),
            (draft.sequence & _U32).to_bytes(4, "big"),
            (draft.acknowledged & _U32).to_bytes(4, "big"),
            (size << 12 | draft.flags).to_bytes(2, "big"),
            draft.window.to_bytes(2, "big"),
            bytes(4),
            draft.options,
        )
    )


def arrived(sender: TcpSocket, content: bytes, payload: int) -> bytes:
    """A header as it arrives over loopback, which leaves the checksum at the sum of the pseudo-header."""
    length = len(content) + payload
    pseudo = _packed(sender.local) + _packed(sender.remote) + _PROTOCOL.to_bytes(2, "big") + length.to_bytes(4, "big")
    return content[:16] + _sum(pseudo).to_bytes(2, "big") + content[18:]


def syn_packet(sender: TcpSocket, content: bytes) -> SynPacket:
    """The packet that brings header `content`."""
    source, destination = _packed(sender.local), _packed(sender.remote)
    words = len(source) // 4
    if words == 1:
        length = (_IP_HEADER[1] + len(content)).to_bytes(2, "big")
        start = b"\x45\0" + length + bytes(2) + _DONT_FRAGMENT.to_bytes(2, "big") + bytes((_HOPS, _PROTOCOL))
        checksum = 0xFFFF - _sum(start + source + destination)
        network = start + checksum.to_bytes(2, "big") + source + destination
    else:
        length = len(content).to_bytes(2, "big")
        network = b"\x60\0\0\0" + length + bytes((_PROTOCOL, _HOPS)) + source + destination
    return SynPacket(_MAC_ADDRESSES + _ETHERTYPE[words].to_bytes(2, "big"), network, content)


def syn(socket: TcpSocket, asked: int) -> Draft:
    """A request for a connection."""
    mss = _advertised(socket, asked)
    return Draft(SYN, 0, 0, _first_window(socket, mss), _first_options(socket, mss, echo=False))


def syn_ack(socket: TcpSocket, asked: int) -> Draft:
    """The answer to one."""
    mss = _advertised(socket, asked)
    return Draft(SYN | ACK, 0, 1, _first_window(socket, mss - _TIME_STAMP_ROOM), _first_options(socket, mss, echo=True))


def established(socket: TcpSocket, flags: int, payload: int = 0) -> Draft:
    """A segment of an open connection."""
    options = bytes((NOP, NOP)) + _time_stamp(socket, echo=True)
    window = min(socket.receive_buffer // 2 >> _SCALE, _LARGEST_WINDOW)
    return Draft(flags, socket.snd_nxt, socket.rcv_nxt, window, options, payload)


def _advertised(socket: TcpSocket, asked: int) -> int:
    """The segment size that an end tells of; TCP_MAXSEG asks for `asked` bytes at most, 0 for no limit."""
    words = len(unmapped(socket.local).words)
    own = _LARGEST_PACKET[words] - _IP_HEADER[words] - HEADER
    return min(own, asked or own)


def _first_options(socket: TcpSocket, mss: int, echo: bool) -> bytes:
    size, scale = bytes((_MSS, 4)) + mss.to_bytes(2, "big"), bytes((NOP, _WINDOW_SCALE, 3, _SCALE))
    return size + bytes((_SACK_PERMITTED, 2)) + _time_stamp(socket, echo) + scale


def _first_window(socket: TcpSocket, size: int) -> int:
    """Whole segments of `size` bytes that half the receive buffer holds (`tcp_select_initial_window`)."""
    space = socket.receive_buffer // 2
    return min(space - space % size if space > size else space, _LARGEST_WINDOW)


def _time_stamp(socket: TcpSocket, echo: bool) -> bytes:
    now = socket.kernel.milliseconds.to_bytes(4, "big")
    return bytes((_TIME_STAMP, 10)) + now + (now if echo else bytes(4))


def _walk(options: bytes, shortest: int = 1) -> Iterator[bytes | None]:
    """Each option but no-operations, up to the end of them; None, and nothing behind it, for what is no option. Fewer
    than `shortest` bytes at the end are not looked at."""
    at = 0
    while len(options) - at >= shortest and options[at] != END:
        if options[at] == NOP:
            at += 1
            continue
        left = len(options) - at
        if left < 2 or not 2 <= options[at + 1] <= left:
            yield None
            return
        option = options[at : at + options[at + 1]]
        yield option
        at += len(option)


def find(options: bytes, kind: int, magic: bytes = b"") -> bytes | None:
    """The first option of `kind` that has `magic` behind its length; None if there is none (`bpf_search_tcp_opt`,
    net/core/filter.c). An option of that kind with less room than the magic needs ends the search.

    Raises KernelError EFAULT for what is no list of options as far as it is read.
    """
    for option in _walk(options):
        if option is None:
            raise KernelError(Errno.EFAULT, f"{options.hex()} is no list of options")
        if option[0] == kind:
            if len(magic) > len(option) - 2:
                return None
            if option[2:].startswith(magic):
                return option
    return None


def has_unknown(options: bytes, kernel: str) -> bool:
    """True if there is an option that the kernel does not know (`tcp_parse_options`, net/ipv4/tcp_input.c)."""
    known = _KNOWN[kernel]
    return any(
        option is not None
        and option[0] not in known
        and not (option[0] == EXPERIMENTAL[1] and option[2:].startswith(_FAST_OPEN_MAGIC))
        for option in _walk(options)
    )


def refused(options: bytes, kernel: str) -> bool:
    """True for options with which a segment is thrown away as one whose authentication fails
    (`tcp_do_parse_auth_options` in net/ipv4/tcp.c; `tcp_parse_md5sig_option` in Linux 6.1, which minds no options that
    are none)."""
    if kernel == "6.1":
        return any(option is not None and option[0] == _MD5 and len(option) == _MD5_LENGTH for option in _walk(options))
    # Debian's 6.12 is built without RFC 5925.
    shortest, signs = (_MD5_LENGTH, (_MD5,)) if kernel == "6.12" else (_LEAST_AUTHENTICATION, (_MD5, _AUTHENTICATION))
    return any(option is None or option[0] in signs for option in _walk(options, shortest))
