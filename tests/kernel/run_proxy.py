"""Runs in the guest: moves bytes through a loopback proxy, copied by it and then spliced by BPF.

Arguments: how many MiB to move from the client to the server. One result for each way: `way`, `bytes`,
`seconds`, and the checksums (CRC-32) of what was `sent` and `received`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import zlib
from collections.abc import Callable

from skverdict.runtime.kernel.kernel import Kernel

from examples.serve_loopback_proxy import LOOPBACK, serve
from tests.kernel.boundary import report, require_guest

POLICY = "examples/loopback_proxy.o"
MIB = 1 << 20
CHUNK = 1 << 16
#: The client is never further ahead of the server than twice so many bytes: a redirect has no back-pressure.
WINDOW = 4 * MIB
GREETING = b"ready\n"


def content(number: int) -> bytes:
    """The `number`-th chunk: each is another one."""
    return (number.to_bytes(8, "big") * (CHUNK // 8))[:CHUNK]


def serve_sink(listener: socket.socket, total: int) -> None:
    """Read `total` bytes, with a byte in answer to each window, and answer with their checksum."""
    connection, _ = listener.accept()
    connection.sendall(GREETING)
    received = checksum = 0
    while received < total:
        part = connection.recv(4 * CHUNK)
        if not part:
            raise SystemExit(f"the stream ended after {received} bytes")
        checksum = zlib.crc32(part, checksum)
        before, received = received, received + len(part)
        connection.sendall(b"." * (received // WINDOW - before // WINDOW))
    connection.sendall(checksum.to_bytes(4, "big"))
    while connection.recv(CHUNK):
        pass


def send(port: int, total: int) -> tuple[int, int, float]:
    """Send `total` bytes: the checksums of what was sent and of what the server says it got, and seconds."""
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if received_exactly(connection, len(GREETING)) != GREETING:
            raise SystemExit("no greeting came")
        began = time.monotonic()
        checksum = answered = 0
        for number in range(total // CHUNK):
            part = content(number)
            checksum = zlib.crc32(part, checksum)
            connection.sendall(part)
            sent = (number + 1) * CHUNK
            while sent - answered > 2 * WINDOW:
                answered += WINDOW * len(connection.recv(64))
        while answered < total // WINDOW * WINDOW:
            answered += WINDOW * len(received_exactly(connection, 1))
        theirs = int.from_bytes(received_exactly(connection, 4), "big")
        return checksum, theirs, time.monotonic() - began


def received_exactly(connection: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise SystemExit("the proxy closed the connection")
        parts += part
    return parts


def in_child(action: Callable[[], None]) -> int:
    """Let a process of its own carry it out; its number."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    return child


def move(total: int, peers: object | None) -> tuple[int, int, float]:
    """Move `total` bytes through a proxy: by the policy with map `peers`, or copied without one."""
    with socket.create_server((LOOPBACK, 0)) as sink, socket.create_server((LOOPBACK, 0)) as listener:
        target = sink.getsockname()

        def be_proxy() -> None:
            client, _ = listener.accept()
            serve(client, socket.create_connection(target), peers)

        children = [in_child(lambda: serve_sink(sink, total)), in_child(be_proxy)]
        result = send(listener.getsockname()[1], total)
        for child in children:
            os.waitpid(child, 0)
    return result


def measure(way: str, total: int, peers: object | None) -> None:
    sent, received, seconds = move(total, peers)
    report({"way": way, "bytes": total, "seconds": seconds, "sent": sent, "received": received})


def main(mebibytes: str) -> None:
    require_guest()
    total = int(mebibytes) * MIB
    measure("copied", total, None)
    with Kernel(POLICY) as kernel:
        kernel.attach("peers", verdict="splice")
        with kernel.statistics():
            measure("spliced", total, kernel.maps["peers"])
            report({"runs": kernel.programs["splice"].info.runs})


if __name__ == "__main__":
    main(sys.argv[1])
