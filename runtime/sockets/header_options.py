"""What sock_ops programs reserve, write and read in the headers of segments.

The order of callbacks and what they see is that of `bpf_skops_hdr_opt_len` and `bpf_skops_write_hdr_opt`
(net/ipv4/tcp_output.c) and of `bpf_skops_parse_hdr` (net/ipv4/tcp_input.c) in Linux 6.1, 6.12 and 7.2. Each segment
with bytes or an end is acknowledged at once by one without, of which programs hear too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.sockets import headers
from skverdict.runtime.sockets.callbacks import HDR_OPT_LEN_CB, PARSE_HDR_OPT_CB, WRITE_HDR_OPT_CB, call_back
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.headers import ACK, HEADER, MOST_OPTIONS, NOP, PUSH, Draft, Segment, SynPacket
from skverdict.runtime.sockets.state import State

if TYPE_CHECKING:
    from skverdict.runtime.sockets.tcp import TcpSocket

#: BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG and its kin: what sockets ask for.
PARSE_ALL, PARSE_UNKNOWN, WRITES = 1 << 4, 1 << 5, 1 << 6
PARSES = PARSE_ALL | PARSE_UNKNOWN
ASKS = PARSES | WRITES

#: What HDR_OPT_LEN_CB is told of, when no segment is made (BPF_WRITE_HDR_TCP_CURRENT_MSS).
_CURRENT_MSS = 1

#: The length of a header with nothing but a time stamp, which Linux looks at less closely (header prediction).
_USUAL = HEADER + 12


def room_taken(socket: TcpSocket) -> int:
    """How much of each segment programs want for options, in bytes: `tcp_current_mss` asks before segments are
    cut."""
    if not socket.callback_flags & WRITES:
        return 0
    options = headers.established(socket, ACK).options
    return _reserve(socket, Segment(b"", 0, 0, MOST_OPTIONS - len(options)), _CURRENT_MSS)


def _reserve(socket: TcpSocket, segment: Segment, what: int, full: bool = True, syn: SynPacket | None = None) -> int:
    """How many bytes programs reserve, rounded up to a multiple of 4; none if one of them refuses."""
    room = segment.room
    agreed = call_back(socket, HDR_OPT_LEN_CB, (what,), full, segment, syn)
    return -((segment.room - room) // 4) * 4 if agreed else 0


def written(socket: TcpSocket, draft: Draft, asks: int, full: bool = True, syn: SynPacket | None = None) -> bytes:
    """The header with which `draft` leaves `socket`. Programs write into it if flag WRITES is in `asks`.

    What they reserve and do not write becomes no-operations. Raises SimulationError for options that make the other
    end throw the segment away, since that is a matter of timers from then on.
    """
    room = 0
    if asks & WRITES:
        empty = Segment(b"", draft.payload, draft.flags, MOST_OPTIONS - len(draft.options))
        room = _reserve(socket, empty, 0, full, syn)
    begun = headers.header(socket, draft, room)
    if not room:
        return begun
    size = len(begun) + room
    segment = Segment(begun, size + draft.payload, draft.flags, room)
    agreed = call_back(socket, WRITE_HDR_OPT_CB, (0,), full, segment, syn)
    head = (segment.header if agreed else begun).ljust(size, bytes((NOP,)))
    kernel = socket.kernel.settings.kernel
    if headers.refused(head[HEADER:], kernel):
        raise SimulationError(
            f"{socket.name}: Linux {kernel} throws away a segment with options {head[HEADER:].hex()}, and its sender "
            "repeats it until it gives up"
        )
    return head


def outgoing(socket: TcpSocket, flags: int, payload: int = 0) -> bytes | None:
    """The header of a segment from `socket` as it arrives; None if nobody asks for it."""
    asks = socket.callback_flags & WRITES
    if not asks and not socket.peer.callback_flags & PARSES:
        return None
    head = written(socket, headers.established(socket, flags, payload), asks)
    return headers.arrived(socket, head, payload)


def acknowledge(socket: TcpSocket) -> None:
    """Send a bare acknowledgement, if somebody asks for headers."""
    head = outgoing(socket, ACK)
    if head is not None:
        socket.peer.acknowledged(head)


def acknowledge_last(socket: TcpSocket) -> None:
    """Answer the end of the stream from TIME_WAIT, where no program is asked."""
    peer = socket.peer
    if peer.callback_flags & PARSES:
        head = headers.header(socket, headers.established(socket, ACK), 0)
        peer.acknowledged(headers.arrived(socket, head, 0))


def parse(socket: TcpSocket, head: bytes, payload: int) -> None:
    """A segment with header `head` arrives at `socket`, whose connection is open or closing.

    A segment that is like the one before but for its bytes is taken without a look at its options, so that no program
    hears of it, whatever it asked for (`tcp_rcv_established`). A client needs one to compare with.
    """
    flags = head[headers.FLAGS]
    options = head[HEADER:]
    usual = len(head) == _USUAL and flags & ~PUSH == ACK and socket.state is State.ESTABLISHED
    predicted = usual and socket.predicts
    socket.predicts = True
    asks = socket.callback_flags
    unknown = asks & PARSE_UNKNOWN and headers.has_unknown(options, socket.kernel.settings.kernel)
    if unknown or (asks & PARSE_ALL and not predicted):
        call_back(socket, PARSE_HDR_OPT_CB, segment=Segment(head, len(head) + payload, flags))
