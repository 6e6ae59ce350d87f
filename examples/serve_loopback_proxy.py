"""A TCP proxy for protocols in which the server speaks first, such as SMTP or MySQL; its bytes stay in the kernel.

    python examples/serve_loopback_proxy.py --listen 8025 --connect 25

Every connection to port `--listen` of this machine is spliced with one to port `--connect` by the policy in
`loopback_proxy.py`; with `--copy`, this process copies the bytes itself. Needs root, and `skverdict doctor` to
be content, unless `--copy` is given.

Why the server's greeting: a socket is watched from when it is put into the map, and bytes that came before
have to be handed on by hand. While the client waits for the greeting and the server for an answer, nothing is
under way, so the greeting can be taken from the server, both sockets put in, and the greeting sent.
"""

from __future__ import annotations

import argparse
import selectors
import socket
from pathlib import Path
from typing import Any

POLICY = Path(__file__).with_name("loopback_proxy.py")
LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16


def splice(peers: Any, client: socket.socket, server: socket.socket) -> None:
    """Let the kernel hand on what comes from each to the other. `peers` is the policy's map."""
    for receiver, sender in ((client, server), (server, client)):
        peers[cookie(receiver)] = sender


def cookie(connection: socket.socket) -> int:
    """The number by which programs know a socket (SO_COOKIE)."""
    so_cookie = 57  # include/uapi/asm-generic/socket.h
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, so_cookie, 8), "little")


def wait_for_end(client: socket.socket, server: socket.socket) -> None:
    """Wait until either side closes, which the policy lets through."""
    with selectors.DefaultSelector() as selector:
        for connection in (client, server):
            selector.register(connection, selectors.EVENT_READ)
        while not any(ended(key.fileobj) for key, _ in selector.select()):
            pass


def ended(connection: Any) -> bool:
    """Whether the peer has closed."""
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def copy(client: socket.socket, server: socket.socket) -> None:
    """Hand on what comes from each to the other, byte by byte, until either side closes."""
    other = {client: server, server: client}
    with selectors.DefaultSelector() as selector:
        for connection in other:
            selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                source: Any = key.fileobj
                content = source.recv(CHUNK)
                if not content:
                    return
                other[source].sendall(content)


def serve(client: socket.socket, server: socket.socket, peers: Any | None) -> None:
    """Be the proxy of one connection, until it ends; without a map, by copying."""
    with client, server:
        greeting = server.recv(CHUNK)
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if peers is None:
            client.sendall(greeting)
            copy(client, server)
            return
        splice(peers, client, server)
        client.sendall(greeting)
        for connection in (client, server):
            connection.setblocking(False)
        wait_for_end(client, server)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--connect", type=int, required=True, metavar="PORT")
    parser.add_argument("--copy", action="store_true", help="copy the bytes, without BPF")
    options = parser.parse_args()
    with socket.create_server((LOOPBACK, options.listen)) as listener:
        if options.copy:
            accept(listener, options.connect, None)
            return
        from skverdict.dsl import load_policy
        from skverdict.runtime.kernel.kernel import Kernel

        with Kernel(load_policy(POLICY)) as kernel:
            kernel.attach("peers", verdict="splice")
            accept(listener, options.connect, kernel.maps["peers"])


def accept(listener: socket.socket, port: int, peers: Any | None) -> None:
    """Serve one connection after the other."""
    while True:
        client, _ = listener.accept()
        serve(client, socket.create_connection((LOOPBACK, port)), peers)


if __name__ == "__main__":
    main()
