"""Programs on what arrives: the parser's answer, the verdict, and doing what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.contexts import SkBuffContext
from skverdict.runtime.sockets.kernel import seen
from skverdict.runtime.sockets.program import Program
from skverdict.runtime.sockets.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from skverdict.runtime.sockets.psock import Psock


def measure(psock: Psock, head: SocketBuffer) -> int:
    """The parser's answer on `head`; its whole length once the program is gone."""
    program = psock.programs.stream_parser
    if program is None:
        return len(head)
    socket = psock.socket
    sight = seen(head.content)
    result = socket.kernel.run(program, SkBuffContext(program.kind, socket, head), socket.name)
    meaning = "need more" if result == 0 else "message" if result > 0 else "error"
    socket.kernel.ran(program, socket.name, sight, result, meaning)
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
    """Run the verdict on every buffer of the receive queue, until one cannot be had its way."""
    queue = psock.socket.receive_queue
    while queue:
        buffer = queue.popleft()
        buffer.owner = psock.socket
        verdict = Verdict.DROP
        program = psock.programs.receiving
        if program is not None:
            buffer.clear_redirect()
            verdict = _judge(psock, program, buffer, framed=False)
        if not _apply(psock, buffer, verdict) or buffer.fin:
            return


def _judge(psock: Psock, program: Program, buffer: SocketBuffer, framed: bool) -> Verdict:
    """Run the verdict. What a program that faults was about is lost, and the stream goes on behind it."""
    socket = psock.socket
    sight = seen(buffer.content)
    try:
        result = socket.kernel.run(program, SkBuffContext(program.kind, socket, buffer), socket.name)
    except Exception:
        buffer.framed = framed
        _eat(psock, buffer)
        psock.lose(buffer, "the program faulted")
        raise
    verdict = verdict_of(result, buffer.target)
    target = buffer.target if verdict is Verdict.REDIRECT else None
    socket.kernel.ran(program, socket.name, sight, result, verdict.name.lower(), target, buffer.ingress)
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
    # The decision is forgotten before the bytes are counted, so a parsed message is counted here, too. The
    # parser sets the count right after the round.
    buffer.clear_redirect()
    _eat(psock, buffer)
    return verdict is Verdict.DROP


def _eat(psock: Psock, buffer: SocketBuffer) -> None:
    """Count the buffer as read; the parser counts for itself."""
    if not buffer.framed:
        psock.socket.copied_seq += len(buffer)


def _pass(psock: Psock, buffer: SocketBuffer) -> None:
    """Leave the bytes to the socket, behind those that wait for the worker."""
    offset, length = buffer.message()
    socket = psock.socket
    socket.kernel.moved("passed", socket, socket, buffer.content[offset : offset + length])
    buffer.ingress = True
    buffer.target = None
    if psock.backlog or offset + length > len(buffer):
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
    way = "ingress" if buffer.ingress else "egress"
    psock.socket.kernel.moved(way, psock.socket, target, buffer.content[offset : offset + length])
    target.psock.backlog.add(buffer)
    return True
