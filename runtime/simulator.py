"""The simulator: a policy's programs and maps, and sockets whose bytes pass through them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.engines import ENGINES, Engine, Surroundings
from skverdict.runtime.helpers import sockets
from skverdict.runtime.helpers.generic import GENERIC
from skverdict.runtime.machine import timers
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import LoadedProgram
from skverdict.runtime.maps import attachment
from skverdict.runtime.maps.attachment import Link
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.create import create_maps
from skverdict.runtime.maps.program_array import insert_programs
from skverdict.runtime.maps.socket_storage import SocketStorage
from skverdict.runtime.maps.sockmap import SockHash, SockMap
from skverdict.runtime.maps.thing_views import view_of
from skverdict.runtime.messages import Machine, replay
from skverdict.runtime.program import SimulatedProgram, note_calls
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.kernel import LOOPBACK_MSS, RECEIVE_BUFFER, SEND_BUFFER, Kernel, Settings
from skverdict.runtime.sockets.network import Network
from skverdict.runtime.sockets.programs import PLACES, places_of
from skverdict.runtime.sockets.sock import Sock
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.trace import Trace
from skverdict.runtime.variables import Globals, with_values
from skverdict.runtime.watching import watcher

if TYPE_CHECKING:
    from skverdict.dsl import Policy

HELPER_FUNCTIONS = {**GENERIC, **sockets.FUNCTIONS}


class Simulator:
    """Runs the programs of `source`: a policy, an object, the bytes of one, or the path of a `.o`.

    `kernel` is the release whose rules hold: 6.1, 6.12 or 7.2. `linear` is how many bytes at the start of
    each received buffer programs can read without a pull (0 on loopback). `mss` cuts what is sent into
    segments, `receive_buffer` bounds a parsed message, and with `send_buffer` what a connection holds for a
    reader that sleeps, all in bytes. `hazards` says what becomes of known kernel faults: they happen and
    stand in the trace (`kernel`), raise HazardError (`error`), or do not happen (`ideal`).

    `globals` sets variables of the policy by name, before programs see them; constants only so.
    `max_entries` overrides what maps declare, by their names. The machine has `cpus` processors;
    `environment.cpu` says on which one programs run.

    `engine` says what runs the programs: the interpreter (`reference`), machine code made of them (`native`), or
    the first until a program has run for long (`auto`). Results and faults are the same; each of `programs`
    tells what runs it (`engine`) and why it cannot be native code (`why_reference`).

    `programs`, `maps` and `globals` are there by name; `maps.view` says how maps are used. Raises
    ObjectError, MapError or LoadError for what the kernel would not load or the simulator does not have.
    """

    def __init__(
        self,
        source: Policy | Object | bytes | str | os.PathLike[str],
        *,
        kernel: str = KERNELS[-1],
        linear: int = 0,
        mss: int = LOOPBACK_MSS,
        receive_buffer: int = RECEIVE_BUFFER,
        send_buffer: int = SEND_BUFFER,
        hazards: str = "kernel",
        globals: Mapping[str, Any] | None = None,
        max_entries: Mapping[str, int] | None = None,
        cpus: int = 1,
        engine: str = "auto",
    ) -> None:
        if engine not in ENGINES:
            raise SimulationError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
        if kernel not in KERNELS:
            raise SimulationError(f"kernel {kernel!r} is none of {', '.join(KERNELS)}")
        if hazards not in ("kernel", "error", "ideal"):
            raise SimulationError(f"hazards {hazards!r} is none of kernel, error, ideal")
        if linear < 0 or min(mss, receive_buffer, send_buffer, cpus) < 1:
            raise SimulationError("linear is at least 0, mss, the buffers and cpus at least 1")
        self.object = _object(source)
        self.kernel = Kernel(Settings(kernel, linear, mss, receive_buffer, send_buffer, hazards))
        self._network = Network(self.kernel)
        self.environment = Environment(HELPER_FUNCTIONS, kernel, cpus=cpus)
        makers = {"sockmap": SockMap, "sockhash": SockHash}
        made = create_maps(self.object, cpus, makers, max_entries, kernel)
        data = data_memory(self.object)
        for section, content in with_values(self.object, globals or {}).items():
            data[section].content[:] = content
        contents = {name: region.content for name, region in data.items()}
        self.globals = Globals(self.object, contents)
        surroundings = Surroundings(made, data, self.environment)
        self.programs = {
            name: self._simulated(load(self.object, name, made, data, self.environment), engine, surroundings)
            for name in self.object.programs
        }
        watcher().made(self.object, contents, self.programs)
        self.kernel.on_connection += [each.clone for each in made.values() if isinstance(each, SocketStorage)]
        insert_programs(made, {name: program.loaded for name, program in self.programs.items()})
        self._raw_maps: Mapping[str, Map] = made
        btf = self.object.btf
        self.maps: Mapping[str, Any] = _Named(
            {name: view_of(map_, btf, self.programs) for name, map_ in made.items()}
        )

    def _simulated(self, loaded: LoadedProgram, engine: str, surroundings: Surroundings) -> SimulatedProgram:
        return SimulatedProgram(loaded, Engine(engine, loaded, surroundings), self.trace)

    @property
    def trace(self) -> Trace:
        """What happened so far."""
        return self.kernel.trace

    @property
    def printed(self) -> list[str]:
        """What programs printed, a line an entry."""
        return self.environment.printed

    # Programs

    def attach(
        self,
        map_name: str,
        *,
        parser: str | None = None,
        verdict: str | None = None,
        msg_verdict: str | None = None,
        stream_verdict: str | None = None,
        skb_verdict: str | None = None,
    ) -> None:
        """Attach programs to a socket map; sockets that are put in afterwards inherit them.

        `verdict` goes where its kind belongs, as stream_verdict or skb_verdict. A program replaces the one
        in its place without a word. Raises OSError: EBUSY for a stream_verdict beside a skb_verdict, EINVAL
        for a program of another type or a parser that may change the packet (Linux 7.2), EOPNOTSUPP for a
        map of another kind. EBUSY also where a link holds a program.
        """
        for place, program in self._places(verdict, parser, stream_verdict, skb_verdict, msg_verdict):
            attachment.attach(self.kernel, self._map(map_name), place, program)

    def detach(
        self,
        map_name: str,
        *,
        parser: str | None = None,
        verdict: str | None = None,
        msg_verdict: str | None = None,
        stream_verdict: str | None = None,
        skb_verdict: str | None = None,
    ) -> None:
        """Detach programs from a socket map; sockets that inherited them keep them.

        Raises OSError: ENOENT if the program is not the one attached, and otherwise as `attach`.
        """
        for place, program in self._places(verdict, parser, stream_verdict, skb_verdict, msg_verdict):
            attachment.detach(self.kernel, self._map(map_name), place, program)

    def link(
        self,
        map_name: str,
        *,
        parser: str | None = None,
        verdict: str | None = None,
        msg_verdict: str | None = None,
        stream_verdict: str | None = None,
        skb_verdict: str | None = None,
    ) -> Link:
        """Attach one program to a socket map for as long as the link that this gives is there; meanwhile nobody
        else can attach, detach or link in its place, which is EBUSY. Linux 6.10 and later.

        Raises OSError as `attach`, but EINVAL for a map of another kind, and on Linux 6.1.
        """
        places = list(self._places(verdict, parser, stream_verdict, skb_verdict, msg_verdict))
        if len(places) > 1:
            raise SimulationError("a link holds one program")
        ((place, program),) = places
        return Link(self.kernel, self._map(map_name), place, program, self._program)

    def _places(
        self, verdict: str | None, *others: str | None
    ) -> Iterator[tuple[str, SimulatedProgram]]:
        """The places that programs are meant for; `others` are those for `PLACES`."""
        given = dict(zip(PLACES, others, strict=True))
        places = places_of(given, verdict, lambda name: self._program(name).kind, SimulationError)
        return ((place, self._program(name)) for place, name in places)

    def _program(self, name: str) -> SimulatedProgram:
        if name not in self.programs:
            raise SimulationError(f"no program {name!r}; there are {', '.join(self.programs) or 'none'}")
        return self.programs[name]

    def _map(self, name: str) -> Map:
        if name not in self._raw_maps:
            raise SimulationError(f"no map {name!r}; there are {', '.join(self._raw_maps) or 'none'}")
        return self._raw_maps[name]

    def attach_cgroup(self, name: str) -> None:
        """Attach a sock_ops program to the cgroup of all sockets made from now on, behind those attached
        before.

        Raises OSError EINVAL for a program of another kind, and for one that is attached already.
        """
        program = self._program(name)
        attachment.check_type(program, "sock_ops")
        if program in self.kernel.sock_ops:
            raise KernelError(Errno.EINVAL, f"{name} is attached to the cgroup already")
        self.kernel.sock_ops.append(program)
        self.kernel.changed("cgroup", f"sock_ops {name} attached")

    def detach_cgroup(self, name: str) -> None:
        """Detach a sock_ops program. Raises OSError ENOENT if it is not attached."""
        program = self._program(name)
        if program not in self.kernel.sock_ops:
            raise KernelError(Errno.ENOENT, f"{name} is not attached to the cgroup")
        self.kernel.sock_ops.remove(program)
        self.kernel.changed("cgroup", f"sock_ops {name} detached")

    # Sockets

    def tcp_pair(
        self,
        *,
        server_port: int | None = None,
        client_port: int | None = None,
        family: str = "v4",
        server_address: str | None = None,
        client_address: str | None = None,
        listener: Socket | None = None,
        names: Sequence[str] | None = None,
    ) -> tuple[Socket, Socket]:
        """A TCP connection: the client's socket, and the server's, accepted.

        Ports are chosen and addresses are loopback where they are not given. `family` is `v4` or `v6`.
        `listener` is one to connect to, in place of one for this connection alone; an IPv4 client may connect
        to an IPv6 listener on all addresses (`::`). `names` are the two names in traces.
        """
        number = self._network.count()
        client_name, server_name = names or (f"client{number}", f"server{number}")
        client, server = self._network.tcp_pair(
            (client_address, client_port), (server_address, server_port), family, _sock(listener),
            (client_name, server_name),
        )  # fmt: skip
        return Socket(client), Socket(server)

    def tcp_connect(
        self,
        listener: Socket,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        name: str = "client",
    ) -> Socket:
        """A TCP connection to `listener` that is yet to be accepted: the client's socket."""
        return Socket(self._network.tcp_connect((address, port), family, listener.kernel_socket, name))

    def tcp_listener(
        self,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        name: str = "listener",
    ) -> Socket:
        """A listening TCP socket."""
        return Socket(self._network.tcp_listener((address, port), family, name))

    def tcp_socket(
        self,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        name: str = "socket",
    ) -> Socket:
        """A TCP socket that was never connected."""
        return Socket(self._network.tcp_socket((address, port), family, name))

    def udp_pair(
        self,
        *,
        server_port: int | None = None,
        client_port: int | None = None,
        family: str = "v4",
        names: Sequence[str] | None = None,
    ) -> tuple[Socket, Socket]:
        """Two UDP sockets connected to each other."""
        number = self._network.count()
        client_name, server_name = names or (f"client{number}", f"server{number}")
        client = self._network.udp_socket((None, client_port), family, client_name)
        server = self._network.udp_socket((None, server_port), family, server_name)
        client.connect(server.local)
        server.connect(client.local)
        return Socket(client), Socket(server)

    def udp_socket(
        self,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        bound: bool = True,
        name: str = "socket",
    ) -> Socket:
        """A UDP socket that is connected to none; one that is not `bound` has no port yet."""
        return Socket(self._network.udp_socket((address, port), family, name, bound))

    def unix_pair(self, kind: str = "stream", *, names: Sequence[str] | None = None) -> tuple[Socket, Socket]:
        """Two unix sockets connected to each other; `kind` is `stream`, `dgram` or `seqpacket`."""
        number = self._network.count()
        one_name, other_name = names or (f"one{number}", f"other{number}")
        one, other = self._network.unix_socket(kind, one_name), self._network.unix_socket(kind, other_name)
        one.connect(other)
        other.connect(one)
        return Socket(one), Socket(other)

    def unix_socket(self, kind: str = "dgram", *, name: str = "socket") -> Socket:
        """A unix socket that is connected to none."""
        return Socket(self._network.unix_socket(kind, name))

    def replay(self, sender: Socket, messages: Iterable[bytes], reader: Socket) -> list[bytes]:
        """Send messages one after the other, and read after each all that has come to `reader`; what that was.

        The same as `sender.send(message)` and `reader.recv_all()` for each, trace included, but many times as fast
        where all that messages meet is a parser that takes each segment whole, and a verdict that drops it or
        redirects it, by a sockmap or one of up to 64 keys of a sockhash, to the egress of the reader's peer, both
        without other helpers and stores to maps, and `engine` is not `reference`. Messages are taken some thousands
        ahead. Raises as `send`, Fault, and what the messages themselves raise; what came before it is sent.
        """
        return replay(sender, messages, reader, Machine(self._raw_maps, self.environment.budget))

    # Time

    def wait(self, seconds: float) -> None:
        """Let time pass: the clock moves on, timers in maps expire, and bytes that were held back for more go
        out after 0.2 s."""
        if seconds < 0:
            raise SimulationError("time does not go back")
        nanoseconds = round(seconds * 1e9)
        for timer, result in timers.elapse(self.environment, self.environment.clock_ns + nanoseconds):
            program = timer.program.name if timer.program is not None else ""
            self.kernel.changed(timer.map.name, f"a timer expired, for which {program} has run")
            note_calls(self.trace, program, result.calls)
        self.kernel.elapse(nanoseconds)


def _object(source: Policy | Object | bytes | str | os.PathLike[str]) -> Object:
    if isinstance(source, Object):
        return source
    if isinstance(source, (bytes, bytearray)):
        return read_object(bytes(source))
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix == ".py":
            raise SimulationError(f"{path} is a policy; give load_policy({str(path)!r})")
        return read_object(path.read_bytes(), path.name)
    return read_object(watcher().build(source), Path(source.path).with_suffix(".o").name)


def _sock(socket: Socket | None) -> Sock | None:
    return None if socket is None else socket.kernel_socket


class _Named(dict[str, Any]):
    """Maps by name; a name that is not there is told with those that are."""

    def __missing__(self, name: str) -> Any:
        raise SimulationError(f"no map {name!r}; there are {', '.join(self) or 'none'}")
