"""Programs on what arrives: the parser's answer, the verdict, and doing what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.sockets import hazards
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.contexts import SkBuffContext
from skverdict.runtime.sockets.program import Program
from skverdict.runtime.sockets.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock


def measure(psock: Psock, head: SocketBuffer) -> int:
    """The parser's answer on `head`; its whole length once the program is gone."""
    program = psock.programs.stream_parser
    if program is None:
        return len(head)
    kernel = psock.socket.kernel
    length, readable, first = len(head), head.linear, kernel.head(head.content)
    result = kernel.run(program, SkBuffContext(program.kind, psock.socket, head), psock.socket.name)
    meaning = "need more" if result == 0 else "message" if result > 0 else "error"
    kernel.ran(program, psock.socket.name, length, readable, first, result, meaning)
    return result


def judge_message(psock: Psock, message: SocketBuffer) -> None:
    """A parsed message: run the verdict on the buffers that hold it."""
    verdict = Verdict.DROP
    program = psock.programs.stream_verdict
    if program is not None:
        message.owner = psock.socket
        message.clear_redirect()
        verdict = _judge(psock, program, message, framed=True)
        message.framed = True
        message.owner = None
    _apply(psock, message, verdict)


def judge_arrived(psock: Psock) -> None:
    """Run the verdict on what waits in the receive queue: on every buffer, until one cannot be had its way,
    or on one of a socket that is shown one for each that arrives."""
    socket = psock.socket
    while socket.receive_queue:
        buffer = socket.receive_queue.popleft()
        _check_read_before(psock, buffer)
        buffer.owner = socket
        verdict = Verdict.DROP
        program = psock.programs.receiving
        if program is not None:
            buffer.clear_redirect()
            verdict = _judge(psock, program, buffer, framed=False)
        if not _apply(psock, buffer, verdict) or buffer.fin or not socket.judges_all:
            return


def _check_read_before(psock: Psock, buffer: SocketBuffer) -> None:
    """A buffer goes to the verdict whole, whatever of it the application has read."""
    read = psock.socket.read_of(buffer)
    if not read:
        return
    kernel = psock.socket.kernel
    if kernel.ideal:
        psock.socket.forget_read(buffer, read)
    else:
        kernel.hazard(psock.socket, hazards.COME_AGAIN)


def _judge(psock: Psock, program: Program, buffer: SocketBuffer, framed: bool) -> Verdict:
    """Run the verdict. What a program that faults was about is lost, and the stream goes on behind it."""
    socket = psock.socket
    kernel = socket.kernel
    length, readable, first = len(buffer.content), buffer.linear, kernel.head(buffer.content)
    try:
        shown = buffer.sender or socket
        result = kernel.run(program, SkBuffContext(program.kind, shown, buffer), socket.name)
    except Exception:
        buffer.framed = framed
        _eat(psock, buffer)
        psock.lose(buffer, "the program faulted")
        raise
    verdict = verdict_of(result, buffer.target)
    target = buffer.target if verdict is Verdict.REDIRECT else None
    kernel.ran(program, socket.name, length, readable, first, result, verdict.word, target, buffer.ingress)
    return verdict


def _apply(psock: Psock, buffer: SocketBuffer, verdict: Verdict) -> bool:
    """Do what the verdict says; False if the buffer had to be dropped against it."""
    if verdict is Verdict.REDIRECT and buffer.ingress and buffer.target is psock.socket:
        verdict = Verdict.PASS
    if verdict is Verdict.REDIRECT:
        _eat(psock, buffer)
        return _redirect(psock, buffer)
    if verdict is Verdict.PASS and psock.takes:
        _pass(psock, buffer)
        return True
    if verdict is Verdict.PASS:
        psock.lose(buffer, psock.BROKEN)
    else:
        offset, length = buffer.message()
        psock.socket.kernel.moved("dropped", psock.socket, None, buffer.content[offset : offset + length])
        buffer.release()
    # The decision is forgotten before the bytes are counted, so a parsed message is counted here, too. The
    # parser sets the count right after the round.
    buffer.clear_redirect()
    _eat(psock, buffer)
    return verdict is Verdict.DROP


def _eat(psock: Psock, buffer: SocketBuffer) -> None:
    """Count the buffer as read; the parser counts for itself."""
    if not buffer.framed:
        psock.socket.eat(len(buffer))


def _pass(psock: Psock, buffer: SocketBuffer) -> None:
    """Leave the bytes to the socket, behind those that wait for the worker."""
    offset, length = buffer.message()
    socket = psock.socket
    socket.kernel.moved("passed", socket, socket, buffer.content[offset : offset + length])
    buffer.ingress = True
    buffer.target = None
    if psock.backlog:
        psock.backlog.add(buffer)
    else:
        psock.queue(buffer, offset, length, own=True)


def _redirect(psock: Psock, buffer: SocketBuffer) -> bool:
    """Hand the buffer to the target's worker; False if the target takes nothing."""
    target = buffer.target
    assert target is not None
    if target.psock is None or not target.psock.takes:
        psock.lose(buffer, f"redirected to {target.name}, which takes nothing")
        return False
    offset, length = buffer.message()
    kernel = psock.socket.kernel
    if not length:
        if kernel.ideal:
            return True
        kernel.hazard(target, hazards.EMPTY_REDIRECTED)
    way = "ingress" if buffer.ingress else "egress"
    kernel.moved(way, psock.socket, target, buffer.content[offset : offset + length])
    target.psock.backlog.add(buffer)
    return True
