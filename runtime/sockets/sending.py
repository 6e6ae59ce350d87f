"""Sending from a socket that has a msg_verdict (`tcp_bpf_sendmsg`): copy in, judge, and push, redirect or
drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.contexts import SkMsgContext
from skverdict.runtime.sockets.errors import SimulationError, WouldBlock, socket_error
from skverdict.runtime.sockets.message import Message
from skverdict.runtime.sockets.state import State
from skverdict.runtime.sockets.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock
    from skverdict.runtime.sockets.sock import Sock
    from skverdict.runtime.sockets.tcp import TcpSocket


#: Why bytes are lost that no verdict was about.
_CORKED = "behind the applied bytes of a corked and redirected message"
_DROPPED = "behind the applied bytes of a dropped message"


#: Verdicts in a row that may leave a message as long as it was before. A kernel that comes so far does not come back.
_MOST_FUTILE = 10_000

#: States in which bytes can be sent.
_SENDING = (State.ESTABLISHED, State.CLOSE_WAIT)


class _Failed(Exception):
    """Part of a call failed with error `number`; what went before may still count."""

    def __init__(self, number: int) -> None:
        self.number = number


def send_message(socket: TcpSocket, psock: Psock, content: memoryview, more: bool) -> int:
    """Send `content`, socket held. Returns the bytes that the caller is told were sent; raises OSError."""
    call = _Call(socket, psock, len(content), more)
    fragment = socket.kernel.page_fragment
    try:
        while content:
            call.check_error()
            message = call.message(fresh=True)
            done = message.fill(content, fragment)
            full = done < len(content)
            content = content[done:]
            call.copied += done
            if not call.accept(message, done, full):
                break
    except _Failed as failure:
        return call.outcome(failure.number)
    return call.outcome(0)


def send_pages(socket: TcpSocket, psock: Psock, content: bytes, more: bool) -> int:
    """Send a page that somebody else may still write to (`sendpage`, Linux 6.1); programs must pull to see
    it."""
    call = _Call(socket, psock, len(content), more)
    try:
        call.check_error()
        message = call.message(fresh=False)
        if message.full:
            return call.outcome(0)
        message.add_shared(content)
        call.copied = len(content)
        call.accept(message, len(content), message.full)
    except _Failed as failure:
        return call.outcome(failure.number)
    return call.outcome(0)


class _Call:
    """One call: `size` bytes asked for, `copied` to be reported as sent."""

    def __init__(self, socket: TcpSocket, psock: Psock, size: int, more: bool) -> None:
        self.socket = socket
        self.psock = psock
        self.kernel = socket.kernel
        self.size = size
        self.more = more
        self.copied = 0

    def check_error(self) -> None:
        if self.socket.error:
            raise _Failed(self.socket.error)
        if self.socket.state in _SENDING and self.socket.room <= 0:
            raise _Failed(Errno.EAGAIN)

    def message(self, fresh: bool) -> Message:
        """What to add to: what was corked, or a new message, in `fresh` memory if what is added is copied."""
        if self.psock.cork is not None:
            return self.psock.cork
        if fresh:
            self.kernel.page_fragment.renew()
        return Message()

    def outcome(self, number: int) -> int:
        """What the call returns: a count if anything counts as sent, else the error."""
        if self.copied > 0 or not number:
            return max(self.copied, 0)
        if number == Errno.EPIPE:
            number = self.socket.take_error() or number
        raise socket_error(number, f"{self.socket.name}: send")

    def accept(self, message: Message, done: int, full: bool) -> bool:
        """Judge `message`, to which `done` bytes were added; False if it waits for corked bytes to come."""
        psock = self.psock
        if psock.cork_bytes:
            psock.cork_bytes = max(psock.cork_bytes - self.size, 0)
            if psock.cork_bytes and not full:
                self._note_corked(message, done)
                return False
            psock.evaluated = Verdict.NONE
            psock.cork_bytes = 0
        self._judge(message, done)
        return True

    def _note_corked(self, message: Message, done: int) -> None:
        self.kernel.moved("corked", self.socket, None, message.content()[message.size - done :])

    def _judge(self, message: Message, done: int) -> None:
        """Work through the message, verdict by verdict. Raises SimulationError if the program adds to it for ever."""
        psock = self.psock
        full = message.full
        first = True
        shortest, futile = message.size, 0
        if psock.evaluated is not Verdict.NONE and not psock.apply_bytes:
            self._check_kept_verdict(message)
        while True:
            cut = 0
            if psock.evaluated is Verdict.NONE:
                cut = message.size
                psock.evaluated = self._run(message)
                cut -= message.size
            if message.cork_bytes > message.size and not full:
                if not first and not self.kernel.ideal:
                    self.kernel.hazard(self.socket, hazards.CORKED_REST)
                psock.cork_bytes = message.cork_bytes - message.size
                psock.cork = message
                self._note_corked(message, min(done, message.size))
                return
            first = False
            count = message.size
            if psock.apply_bytes:
                count = min(count, psock.apply_bytes)
            if psock.evaluated is Verdict.PASS:
                self._push(message, count)
            elif psock.evaluated is Verdict.REDIRECT:
                if self._redirect(message, count):
                    return
            else:
                self._drop(message, count, cut)
            if not psock.apply_bytes:
                psock.evaluated = Verdict.NONE
                psock.target = None
            if not message.elements:
                return
            futile = 0 if message.size < shortest else futile + 1
            shortest = min(shortest, message.size)
            if futile > _MOST_FUTILE:
                raise SimulationError(
                    f"the send on {self.socket.name} does not end: in {_MOST_FUTILE:,} verdicts in a row its "
                    "msg_verdict added as many bytes to the message as went out by its apply_bytes"
                )

    def _check_kept_verdict(self, message: Message) -> None:
        """A verdict outlives its message only by a fault: a drop always, a pass that met a full buffer. That one is
        right for the bytes that were refused then, and no others."""
        refused, self.psock.refused = self.psock.refused, b""
        if self.psock.evaluated is Verdict.DROP:
            self.kernel.hazard(self.socket, hazards.MUTE)
        elif not refused.startswith(message.content()):
            self.kernel.hazard(self.socket, hazards.UNJUDGED)

    def _run(self, message: Message) -> Verdict:
        psock, socket, kernel = self.psock, self.socket, self.kernel
        program = psock.programs.msg_verdict
        if program is None:
            return Verdict.PASS
        message.show_first()
        message.redirected = False
        if kernel.ideal:
            message.target = None
        length, readable, head = message.size, len(message.readable()), message.head()
        result = kernel.run(program, SkMsgContext(program.kind, socket, message), socket.name)
        verdict = verdict_of(result, message.target)
        psock.apply_bytes = message.apply_bytes
        target = None
        if verdict is Verdict.REDIRECT:
            target = psock.target = message.target
            psock.target_ingress = message.ingress
        kernel.ran(
            program, socket.name, length, readable, head, result, verdict.word, target, message.ingress
        )
        if target is not None and not message.redirected:
            kernel.hazard(socket, hazards.STALE_REDIRECT)
        return verdict

    def _applied(self, count: int) -> None:
        self.psock.apply_bytes = max(self.psock.apply_bytes - count, 0)

    def _push(self, message: Message, count: int) -> None:
        """Send the first `count` bytes out of the socket, element by element."""
        try:
            push(self.socket, message, count, self.more)
        except OSError as error:
            self.psock.refused = self._take_back(message, error)
            if self.kernel.ideal and not self.psock.apply_bytes:
                self.psock.evaluated = Verdict.NONE
            raise _Failed(error.errno or Errno.EPIPE) from None
        self._applied(count)

    def _take_back(self, message: Message, error: OSError, why: str = "") -> bytes:
        """What is left of a message, which does not count as sent. It is lost, unless it is this call's and its
        sender is told to try again."""
        rest = message.clear()
        kept = min(len(rest), self.copied) if isinstance(error, WouldBlock) else 0
        self.kernel.moved("lost", self.socket, None, rest[: len(rest) - kept], f"{why}{error}")
        self.copied -= len(rest)
        return rest

    def _redirect(self, message: Message, count: int) -> bool:
        """Give the first `count` bytes to the target; True if that ends the message.

        A message that was corked ends here whatever is left of it: bytes behind `apply_bytes` are thrown
        away.
        """
        psock, kernel = self.psock, self.kernel
        target, ingress = psock.target, psock.target_ingress
        assert target is not None
        self._applied(count)
        if not psock.apply_bytes:
            psock.evaluated = Verdict.NONE
            psock.target = None
        corked = psock.cork is not None
        psock.cork = None
        content, size = message.content()[:count], message.size
        failure: OSError | None = None
        try:
            with self.socket.unlocked():
                redirect(target, message, count, ingress, self.more)
        except OSError as error:
            failure = error
        kernel.moved("ingress" if ingress else "egress", self.socket, target, content[: size - message.size])
        if failure is not None and not corked:
            self._take_back(message, failure, f"redirect to {target.name}: ")
            raise _Failed(failure.errno or Errno.EPIPE)
        if corked and message.size:
            rest = message.clear()
            why = _CORKED if failure is None else f"redirect to {target.name}: {failure}"
            kernel.moved("lost", self.socket, None, rest, why)
            if failure is None:
                kernel.hazard(self.socket, hazards.CORKED_REDIRECT)
        return corked

    def _drop(self, message: Message, count: int, cut: int) -> None:
        """Refuse. The whole message goes, though only `count` bytes count as refused."""
        kernel = self.kernel
        content = message.clear()
        self._applied(count)
        self.copied -= count + cut
        kernel.moved("dropped", self.socket, None, content[:count])
        kernel.moved("lost", self.socket, None, content[count:], _DROPPED)
        if kernel.ideal:
            if not self.psock.apply_bytes:
                self.psock.evaluated = Verdict.NONE
            self.copied -= len(content) - count
        elif content[count:]:
            kernel.hazard(self.socket, hazards.DROP_COUNTS_AS_SENT)
        raise _Failed(Errno.EACCES)


def push(socket: TcpSocket, message: Message, count: int, more: bool) -> None:
    """Send the first `count` bytes of `message` out of `socket`, held. Raises OSError; sent bytes are gone
    from it."""
    if not count:
        socket.check_writable()
    while count and message.elements:
        element = message.elements[0]
        size = min(count, element.length)
        done = socket.send(element.view[:size], more or size < element.length)
        message.take(done)
        count -= done


def redirect(target: Sock, message: Message, count: int, ingress: bool, more: bool) -> None:
    """Send the first `count` bytes out of `target`, or put them where its application reads. Raises OSError.

    The target's own msg_verdict is not asked.
    """
    if target.psock is None:
        raise socket_error(Errno.EPIPE, f"{target.name} is in no map")
    if ingress:
        target.psock.put_message(message.take(count))
    else:
        target.push_message(message, count, more)
