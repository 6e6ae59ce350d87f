"""What a socket gets when it enters a socket map (`struct sk_psock`): the map's programs, and queues of its
own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.contexts import SkBuffContext
from skverdict.runtime.sockets.errors import socket_error
from skverdict.runtime.sockets.kernel import seen
from skverdict.runtime.sockets.message import Message
from skverdict.runtime.sockets.parser import StreamParser
from skverdict.runtime.sockets.program import Program
from skverdict.runtime.sockets.sending import send_message, send_shared
from skverdict.runtime.sockets.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from skverdict.runtime.maps.sockmap import SocketMap
    from skverdict.runtime.sockets.tcp import TcpSocket


#: Why bytes are lost once a redirect to a socket has failed.
_BROKEN = "nothing gets in after a failed redirect"


@dataclass
class Programs:
    """The programs of a map, or those that a socket inherited."""

    msg_verdict: Program | None = None
    stream_parser: Program | None = None
    stream_verdict: Program | None = None
    skb_verdict: Program | None = None

    @property
    def receiving(self) -> Program | None:
        """The verdict on what arrives."""
        return self.stream_verdict or self.skb_verdict

    def conflicts(self, other: Programs) -> bool:
        """True if a socket that has `other` cannot take these, too (EBUSY)."""
        return bool(
            (self.msg_verdict and other.msg_verdict)
            or (self.stream_parser and other.stream_parser)
            or (self.receiving and other.receiving)
        )

    def add(self, other: Programs) -> None:
        """Take over the programs that `other` has."""
        for field in fields(Programs):
            program = getattr(other, field.name)
            if program is not None:
                setattr(self, field.name, program)


class Ingress:
    """Bytes for the application to read. `own` ones came to the socket itself, by its verdict's pass."""

    __slots__ = ("content", "fin", "own", "position")

    def __init__(self, content: bytes, own: bool, fin: bool = False) -> None:
        self.content = content
        self.own = own
        self.fin = fin
        self.position = 0


class Psock:
    """The state that a socket in a map has.

    `links` are the (map, key) under which the socket stands. `handler` is what arriving data is handed to;
    None leaves it to the socket. `ingress` holds what the application may read, `backlog` buffers that wait
    for the kernel's worker. `enabled` is False once a redirect to this socket has failed: nothing more gets
    in.

    `evaluated`, `apply_bytes`, `cork_bytes`, `cork`, `target` and `target_ingress` carry a msg_verdict's
    answer from one `send` to the next.
    """

    def __init__(self, socket: TcpSocket) -> None:
        self.socket = socket
        self.programs = Programs()
        self.links: list[tuple[SocketMap, bytes]] = []
        self.handler: Callable[[], None] | None = None
        self.parser: StreamParser | None = None
        self.enabled = True
        self.ingress: deque[Ingress] = deque()
        self.backlog: deque[SocketBuffer] = deque()
        self.copied_seq = socket.copied_seq
        self.ingress_bytes = 0
        self.evaluated = Verdict.NONE
        self.apply_bytes = 0
        self.cork_bytes = 0
        self.cork: Message | None = None
        self.target: TcpSocket | None = None
        self.target_ingress = False

    # Life

    def inherit(self, programs: Programs) -> None:
        """Take a map's programs and start those that watch arriving data."""
        self.programs.add(programs)
        if programs.receiving is None or self.handler is not None:
            return
        if programs.stream_parser and programs.stream_verdict:
            self.parser = StreamParser(self)
            self.copied_seq = self.socket.copied_seq
            self.handler = self.parser.data_ready
        else:
            self.handler = self.judge_arrived

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

    def drop(self) -> None:
        """The last link is gone: the socket becomes an ordinary one, and what the queues hold is lost."""
        self.enabled = False
        self.free_cork()
        if self.parser is not None:
            self.parser.abandon()
        self.handler = None
        self.socket.psock = None
        for buffer in self.backlog:
            self._lose(buffer, "the socket left its map")
        for entry in self.ingress:
            content = entry.content[entry.position :]
            self.socket.kernel.moved("lost", self.socket, None, content, "the socket left its map")
        self.backlog.clear()
        self.ingress.clear()

    def free_cork(self) -> None:
        """Throw corked bytes away."""
        if self.cork is not None:
            content = self.cork.clear()
            self.socket.kernel.moved("lost", self.socket, None, content, "corked")
            self.cork = None

    def _lose(self, buffer: SocketBuffer, reason: str) -> None:
        offset, length = buffer.message()
        self.socket.kernel.moved("lost", self.socket, None, buffer.content[offset : offset + length], reason)

    # Arriving data

    def run_parser(self, head: SocketBuffer) -> int:
        """The parser's answer on `head`; its whole length once the program is gone."""
        program = self.programs.stream_parser
        if program is None:
            return len(head)
        kernel = self.socket.kernel
        sight = seen(head.content)
        result = kernel.run(program, SkBuffContext(program.kind, self.socket, head), self.socket.name)
        meaning = "need more" if result == 0 else "message" if result > 0 else "error"
        kernel.ran(program, self.socket.name, sight, result, meaning)
        return result

    def judge_message(self, message: SocketBuffer) -> None:
        """A parsed message: run the verdict on the buffers that hold it."""
        verdict = Verdict.DROP
        if self.programs.stream_verdict is not None:
            message.owner = self.socket
            message.clear_redirect()
            verdict = self._run_verdict(self.programs.stream_verdict, message)
            message.framed = True
            message.owner = None
        self._apply(message, verdict)

    def judge_arrived(self) -> None:
        """Run the verdict on every buffer of the receive queue."""
        queue = self.socket.receive_queue
        while queue:
            buffer = queue.popleft()
            buffer.owner = self.socket
            verdict = Verdict.DROP
            program = self.programs.receiving
            if program is not None:
                buffer.clear_redirect()
                verdict = self._run_verdict(program, buffer)
            if not self._apply(buffer, verdict) or buffer.fin:
                return

    def _run_verdict(self, program: Program, buffer: SocketBuffer) -> Verdict:
        kernel = self.socket.kernel
        sight = seen(buffer.content)
        context = SkBuffContext(program.kind, self.socket, buffer)
        try:
            result = kernel.run(program, context, self.socket.name)
        except Exception:
            buffer.framed = self.parser is not None
            self._eat(buffer)
            self._lose(buffer, "the program faulted")
            raise
        verdict = verdict_of(result, buffer.target)
        target = buffer.target if verdict is Verdict.REDIRECT else None
        kernel.ran(program, self.socket.name, sight, result, verdict.name.lower(), target, buffer.ingress)
        return verdict

    def _apply(self, buffer: SocketBuffer, verdict: Verdict) -> bool:
        """Do what the verdict says; False if the buffer had to be dropped against it."""
        if verdict is Verdict.REDIRECT and buffer.ingress and buffer.target is self.socket:
            verdict = Verdict.PASS
        if verdict is Verdict.REDIRECT:
            self._eat(buffer)
            return self._redirect(buffer)
        if verdict is Verdict.PASS and self._pass(buffer):
            return True
        if verdict is Verdict.PASS:
            self._lose(buffer, _BROKEN)
        else:
            offset, length = buffer.message()
            content = buffer.content[offset : offset + length]
            self.socket.kernel.moved("dropped", self.socket, None, content)
        buffer.clear_redirect()
        self._eat(buffer)
        return verdict is Verdict.DROP

    def _eat(self, buffer: SocketBuffer) -> None:
        """Count the buffer as read. With a parser the position is settled after the round, whatever stands
        here."""
        if not buffer.framed:
            self.socket.copied_seq += len(buffer)

    def _pass(self, buffer: SocketBuffer) -> bool:
        if self.socket.dead or not self.enabled:
            return False
        offset, length = buffer.message()
        self.socket.kernel.moved("passed", self.socket, self.socket, buffer.content[offset : offset + length])
        buffer.ingress = True
        buffer.target = None
        if self.backlog or self._queue(buffer, offset, length, own=True) < 0:
            self.backlog.append(buffer)
            self.socket.kernel.schedule(self.work)
        return True

    def _redirect(self, buffer: SocketBuffer) -> bool:
        target = buffer.target
        assert target is not None
        way = "ingress" if buffer.ingress else "egress"
        if target.psock is None or target.dead or not target.psock.enabled:
            self._lose(buffer, f"redirected to {target.name}, which takes nothing")
            return False
        offset, length = buffer.message()
        self.socket.kernel.moved(way, self.socket, target, buffer.content[offset : offset + length])
        target.psock.backlog.append(buffer)
        self.socket.kernel.schedule(target.psock.work)
        return True

    # The worker

    def work(self) -> None:
        """Send or queue what waits in the backlog, in order. An error breaks the socket for redirects for
        good."""
        while self.enabled and self.backlog:
            buffer = self.backlog[0]
            offset, length = buffer.message()
            ingress = buffer.ingress
            buffer.clear_redirect()
            while True:
                try:
                    done = self._handle(buffer, offset, length, ingress)
                except OSError as error:
                    self._break(error.errno or Errno.EIO)
                    return
                if done <= 0:
                    self._break(-done or Errno.EPIPE)
                    return
                offset += done
                length -= done
                if not length:
                    break
            if self.backlog:
                self.backlog.popleft()

    def _handle(self, buffer: SocketBuffer, offset: int, length: int, ingress: bool) -> int:
        if self.socket.dead:
            return -Errno.EIO
        if not ingress:
            return self._send_buffer(buffer, offset, length)
        return self._queue(buffer, offset, length, own=buffer.owner is self.socket)

    def _break(self, number: int) -> None:
        self.enabled = False
        self.socket.error = number
        self.socket.kernel.changed(self.socket.name, f"takes no redirects any more, error {number}")

    def _send_buffer(self, buffer: SocketBuffer, offset: int, length: int) -> int:
        """Send part of a buffer out of this socket, as its application would; returns the bytes sent."""
        sent = 0
        for start, end in buffer.pieces(offset, length):
            piece = bytes(buffer.content[start:end])
            more = sent + len(piece) < length and self.socket.kernel.settings.kernel != "6.1"
            try:
                done = self._send_piece(piece, start < buffer.linear, more)
            except OSError:
                if sent:
                    return sent
                raise
            sent += done
            if done < len(piece):
                return sent
        return sent

    def _send_piece(self, piece: bytes, linear: bool, more: bool) -> int:
        """Through the socket's own msg_verdict, if it has one. Linux 6.1 gives fragments as pages, later
        ones copy."""
        socket = self.socket
        with socket.locked():
            if self.programs.msg_verdict is None:
                sent = socket.send(piece, more)
            elif socket.kernel.settings.kernel == "6.1" and not linear:
                sent = send_shared(socket, self, piece, more)
            else:
                sent = send_message(socket, self, memoryview(piece), more)
        socket.kernel.moved("forwarded", socket, socket.peer, piece[:sent])
        return sent

    # Reading

    def _queue(self, buffer: SocketBuffer, offset: int, length: int, own: bool) -> int:
        if offset + length > len(buffer):
            return -Errno.EMSGSIZE  # the verdict shortened the buffer under the message
        self.ingress_bytes += length
        self.put(Ingress(bytes(buffer.content[offset : offset + length]), own, buffer.fin))
        return length

    def put(self, entry: Ingress) -> None:
        """Let the application read `entry`, if anything still gets in."""
        if self.enabled:
            self.ingress.append(entry)
        else:
            self.socket.kernel.moved("lost", self.socket, None, entry.content, _BROKEN)

    def put_message(self, content: bytes) -> None:
        """Let the application read what another socket's message brought."""
        self.put(Ingress(content, own=False))

    def unread_own(self) -> int:
        """Bytes that the verdict passed to this socket and that were not read."""
        return sum(len(entry.content) - entry.position for entry in self.ingress if entry.own)

    def readable(self) -> int:
        """Bytes in the ingress queue."""
        return sum(len(entry.content) - entry.position for entry in self.ingress)

    def receive(self, length: int, peek: bool) -> bytes:
        """Read up to `length` bytes; b"" at the end of the stream. Raises OSError."""
        if not length:
            return b""
        if self.programs.receiving is not None:
            return self._receive_judged(length, peek)
        if self.socket.receive_queue and not self.ingress:
            return self.socket.receive(length, peek)
        content = self._read_ingress(length, peek)[0]
        if content is None:
            raise socket_error(Errno.EFAULT, f"{self.socket.name}: receive")
        if not content:
            if self.socket.receive_shut:
                return self.socket.receive(length, peek)
            raise socket_error(Errno.EAGAIN, f"{self.socket.name}: nothing to receive")
        return content

    def _receive_judged(self, length: int, peek: bool) -> bytes:
        socket = self.socket
        seq = socket.copied_seq
        if socket.receive_queue:
            socket.data_ready()
            if socket.receive_queue:
                raise socket_error(Errno.EAGAIN, f"{socket.name}: bytes wait for the verdict")
        content, own = self._read_ingress(length, peek)
        if content is None:
            if not self.ingress[0].fin:
                raise socket_error(Errno.EFAULT, f"{socket.name}: receive")
            content, own = b"", 1  # the end of the stream takes a position, too
        elif not content:
            socket.check_readable()
        if not peek:
            socket.copied_seq = seq + own
        return content

    def _read_ingress(self, length: int, peek: bool) -> tuple[bytes | None, int]:
        """What can be read, and how much of it is the socket's own; None where an empty entry is next."""
        parts: list[bytes] = []
        own = 0
        for entry in list(self.ingress):
            part = entry.content[entry.position : entry.position + length]
            if not part:
                break
            parts.append(part)
            length -= len(part)
            own += len(part) if entry.own else 0
            if not peek:
                entry.position += len(part)
                if entry.position == len(entry.content):
                    self.ingress.popleft()
            if not length:
                break
        if not parts and self.ingress:
            return None, 0
        return b"".join(parts), own

    def check_late_delivery(self) -> None:
        """Bytes wait that the kernel believes are read: say so."""
        if self.parser is not None and not self.parser.stopped:
            self.socket.kernel.hazard(
                self.socket,
                "arrived bytes are not delivered until more come: passed messages were unread at once",
                "a policy with a stream parser should redirect or drop, not pass to its own socket",
            )
