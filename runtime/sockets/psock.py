"""What a socket gets when it enters a socket map (`struct sk_psock`): the map's programs, and queues."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.arrival import judge_arrived
from skverdict.runtime.sockets.backlog import Backlog
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.ingress import Ingress, IngressQueue
from skverdict.runtime.sockets.message import Message
from skverdict.runtime.sockets.parser import StreamParser
from skverdict.runtime.sockets.programs import Programs
from skverdict.runtime.sockets.verdict import Verdict

if TYPE_CHECKING:
    from skverdict.runtime.maps.sockmap import SocketMap
    from skverdict.runtime.sockets.sock import Sock


class Psock:
    """The state that a socket in a map has.

    `links` are the (map, key) under which the socket stands. `handler` is what arriving data is handed to;
    None leaves it to the socket. `ingress` holds what the application may read, `backlog` buffers that wait
    for the kernel's worker. `enabled` is False once a redirect to this socket has failed.

    `evaluated`, `apply_bytes`, `cork_bytes`, `cork`, `target` and `target_ingress` carry a msg_verdict's
    answer from one `send` to the next, and `refused` are the bytes that it let pass and the socket did not take.
    """

    __slots__ = (
        "apply_bytes", "backlog", "copied_seq", "cork", "cork_bytes", "enabled", "ending", "evaluated",
        "handler", "ingress", "ingress_bytes", "links", "parser", "programs", "refused", "socket", "target",
        "target_ingress",
    )  # fmt: skip

    #: Why bytes are lost at a socket that is not `enabled`.
    BROKEN = "nothing gets in after a failed redirect"

    def __init__(self, socket: Sock) -> None:
        self.socket = socket
        self.programs = Programs()
        self.links: list[tuple[SocketMap, bytes]] = []
        self.handler: Callable[[], None] | None = None
        self.parser: StreamParser | None = None
        self.enabled = True
        self.ending = False
        self.ingress = IngressQueue()
        self.backlog = Backlog(self)
        self.copied_seq = 0
        self.ingress_bytes = 0
        self.evaluated = Verdict.NONE
        self.apply_bytes = 0
        self.cork_bytes = 0
        self.cork: Message | None = None
        self.target: Sock | None = None
        self.target_ingress = False
        self.refused = b""

    @property
    def takes(self) -> bool:
        """True if buffers can still be passed or redirected to the socket."""
        return self.enabled and not self.socket.dead

    @property
    def idle(self) -> bool:
        """True if nothing waits here for the application, the worker, or more bytes."""
        parser = self.parser
        return not (self.ingress or self.backlog or self.cork) and (parser is None or parser.idle)

    def inherit(self, programs: Programs) -> None:
        """Take a map's programs and start those that watch arriving data.

        Raises KernelError EOPNOTSUPP, the programs taken, for a parser on a socket that is not TCP. Linux 6.1
        takes it, and then nobody watches.
        """
        self.programs.add(programs)
        if programs.receiving is None or self.handler is not None:
            return
        if not (programs.stream_parser and programs.stream_verdict):
            self.handler = self._judge_arrived
        elif self.socket.parses:
            self.parser = StreamParser(self)
            self.handler = self.parser.data_ready
        elif self.socket.kernel.settings.kernel == "6.1":
            self.handler = self._watch_nothing
        else:
            raise KernelError(Errno.EOPNOTSUPP, f"{self.socket.name} is not TCP and cannot have a parser")

    def _judge_arrived(self) -> None:
        judge_arrived(self)

    def _watch_nothing(self) -> None:
        """What arrives stays where it is, and who sleeps until it comes is not woken."""
        self.socket.kernel.hazard(self.socket, hazards.ASLEEP)

    def stop_parser(self) -> None:
        """Give arriving data back to the socket and end the parser."""
        self.programs.stream_parser = None
        if self.handler is not None:
            self.handler = None
            if self.parser is not None:
                self.parser.stopped = True

    def stop_verdict(self) -> None:
        """Give arriving data back to the socket."""
        self.programs.stream_verdict = self.programs.skb_verdict = None
        self.handler = None

    def leave_maps(self) -> None:
        """Take the socket out of all maps, which drops the psock, because it ends."""
        self.ending = True
        for socket_map, key in list(self.links):
            if socket_map.socket(key) is self.socket:
                socket_map.remove(key)

    def drop(self) -> None:
        """The last link is gone: the socket becomes an ordinary one, and what the queues hold is lost. An ideal
        kernel keeps it for the application."""
        reason = "the socket left its map"
        kernel = self.socket.kernel
        self.enabled = False
        self.free_cork()
        keeps = kernel.ideal and not self.ending
        unread, gathered = self.ingress.clear(), b""
        if self.parser is not None:
            gathered = self.parser.abandon("" if keeps else reason)
        self.handler = None
        self.socket.psock = None
        self.backlog.lose(reason)
        if keeps:
            self.socket.give_back([content for content in (*unread, gathered) if content])
            return
        for content in unread:
            kernel.moved("lost", self.socket, None, content, reason)
        if (any(unread) or gathered) and not self.ending:
            kernel.hazard(self.socket, hazards.LOST_AT_REMOVAL)

    def free_cork(self) -> None:
        """Throw corked bytes away."""
        if self.cork is not None:
            self.socket.kernel.moved("lost", self.socket, None, self.cork.clear(), "corked")
            self.cork = None

    def lose(self, buffer: SocketBuffer, reason: str) -> None:
        """Record that what a verdict decides on in `buffer` is lost."""
        offset, length = buffer.message()
        self.socket.kernel.moved("lost", self.socket, None, buffer.content[offset : offset + length], reason)
        buffer.release()

    def queue(self, buffer: SocketBuffer, offset: int, length: int, own: bool) -> int:
        """Let the application read part of a buffer; returns the length."""
        kernel = self.socket.kernel
        if offset + length > len(buffer):
            kernel.crash(self.socket, hazards.SHORTENED_MESSAGE)
            length = max(0, len(buffer) - offset)
        if not length and not buffer.fin:
            if kernel.ideal:
                return 0
            kernel.hazard(self.socket, hazards.EMPTY_PASSED)
        self.ingress_bytes += length
        whole = not offset and length == len(buffer.content)
        content = bytes(buffer.content if whole else buffer.content[offset : offset + length])
        self._put(Ingress(content, own, buffer.fin, buffer.truesize))
        buffer.release()
        return length

    def put_message(self, content: bytes) -> None:
        """Let the application read what another socket's message brought."""
        self._put(Ingress(content, own=False, cost=len(content)))

    def _put(self, entry: Ingress) -> None:
        if self.enabled:
            self.ingress.put(entry)
        else:
            self.socket.kernel.moved("lost", self.socket, None, entry.content, self.BROKEN)

    def check_late_delivery(self) -> None:
        """Bytes wait that the kernel believes are read: say so."""
        if self.handler is not None and not (self.parser is not None and self.parser.stopped):
            self.socket.kernel.hazard(self.socket, hazards.LATE)
