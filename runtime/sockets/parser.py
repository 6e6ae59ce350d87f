"""The stream parser (net/strparser): cuts the stream into the messages that a parser program measures.

A program never sees "the message". It sees the buffer that the message begins in, whole, from that buffer's
first byte, grown by every later buffer, whole, that the message needed; only the kernel knows where in it the
message lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.arrival import judge_message, measure
from skverdict.runtime.sockets.buffer import SocketBuffer

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock
    from skverdict.runtime.sockets.tcp import TcpSocket


class StreamParser:
    """The parser of one socket. `stopped` is for good. `needed` bytes must be unread before it looks again.
    """

    __slots__ = ("_enough", "head", "needed", "psock", "socket", "stopped")

    def __init__(self, psock: Psock) -> None:
        self.psock = psock
        self.socket = cast("TcpSocket", psock.socket)
        psock.copied_seq = self.socket.copied_seq
        self.head: SocketBuffer | None = None
        self.needed = 0
        self.stopped = False
        self._enough = False  # stop reading, the rest of the message is not there yet

    @property
    def idle(self) -> bool:
        """True if the next byte begins a message."""
        return not (self.stopped or self.head or self.needed) and self.psock.copied_seq == self.socket.copied_seq

    def carried(self, length: int) -> None:
        """So many bytes of whole messages went to others, while nothing else was under way."""
        self.psock.copied_seq += length
        self.psock.ingress_bytes = 0

    def data_ready(self) -> None:
        """Data arrived, or a reader asks for it."""
        if self.stopped:
            return
        if self.socket.owned:
            self.socket.kernel.schedule(self.work)
        elif not self.needed or self.socket.waiting() >= self.needed:
            self._read()

    def work(self) -> None:
        """What was put off while somebody held the socket."""
        if not self.stopped:
            with self.socket.locked():
                self._read()

    def abandon(self, reason: str) -> bytes:
        """Stop; gives what was gathered of a message, which is lost if there is a `reason`."""
        self.stopped = True
        head, self.head = self.head, None
        if head is None:
            return b""
        if reason:
            self.socket.kernel.moved("lost", self.socket, None, head.content[head.offset :], reason)
        return bytes(head.content[head.offset : head.offset + head.gathered])

    def _read(self) -> None:
        """Take in whole buffers of the receive queue, and settle the kernel's read position afterwards.

        The position stays behind what was passed to the socket itself in this round, to be moved when that
        is read. What was passed in earlier rounds and is still unread is forgotten here: that is the fault
        behind late deliveries.
        """
        psock = self.psock
        psock.ingress_bytes = 0
        self._enough = False
        try:
            self._read_buffers()
        finally:
            unread = psock.ingress.waiting_own if self.socket.kernel.ideal else psock.ingress_bytes
            self.socket.copied_seq = psock.copied_seq - unread

    def _read_buffers(self) -> None:
        socket, psock = self.socket, self.psock
        while (found := socket.buffer_at(psock.copied_seq)) is not None:
            buffer, offset = found
            if 0 <= offset < len(buffer):
                start = psock.copied_seq
                self._take(buffer, offset)
                used = psock.copied_seq - start
                if used <= 0:
                    return
                if offset + used < len(buffer):
                    continue
            if buffer.fin:
                socket.receive_queue.popleft()
                psock.copied_seq += 1
                return
            socket.receive_queue.popleft()
            if self._enough:
                return

    def _take(self, original: SocketBuffer, offset: int) -> None:
        """Cut `original` from `offset` on into messages, and count the bytes that are done with."""
        length = len(original) - offset
        if self.head is not None and offset:
            rest = SocketBuffer(bytes(original.content[offset:]), original.seq + offset, 0)
            original, offset = rest, 0
        start = self.psock.copied_seq
        while (eaten := self.psock.copied_seq - start) < length:
            piece = original.clone()
            candidate = length - eaten
            if self.head is None:
                self.head = head = piece
                head.offset = offset + eaten
            else:
                head = self.head
                head.append(piece)
            if not head.full_length:
                message = self._measure(head, len(piece))
                if message < 0:
                    self._fail(-message)
                    return
                if message == 0:
                    self._gather(head, candidate)
                    return
                head.full_length = message
            missing = head.full_length - head.gathered
            if missing > candidate:
                unread = self.socket.waiting()
                self._gather(head, candidate)
                if missing > unread:
                    self.needed = missing - candidate
                    self._enough = True
                return
            self.psock.copied_seq += missing
            self.head = None
            self.needed = 0
            judge_message(self.psock, head)

    def _gather(self, head: SocketBuffer, count: int) -> None:
        """Count bytes that are done with, though their message is not complete."""
        head.gathered += count
        self.psock.copied_seq += count

    def _measure(self, head: SocketBuffer, newest: int) -> int:
        """The message's length; 0 if the program cannot tell yet; a negative error number."""
        try:
            length = measure(self.psock, head)
        except Exception:
            self._fail(int(Errno.EIO))
            raise
        if length == -Errno.ESTRPIPE and head.gathered:
            return -int(Errno.ENODATA)
        if length <= 0:
            return length
        if length > self.socket.receive_buffer:
            return -int(Errno.EMSGSIZE)
        if length <= len(head) - newest - head.offset:
            return -int(Errno.EPROTO)  # it would end before the newest buffer
        return length

    def _fail(self, number: int) -> None:
        """Stop for good; the socket gets the error."""
        self.head = None
        if not self.stopped:
            self.stopped = True
            self.needed = 0
            self.socket.error = number
            self.socket.kernel.changed(self.socket.name, f"stream parser stopped for good, error {number}")
