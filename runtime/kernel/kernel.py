"""A policy on this machine's kernel, with the interface of the simulator."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.kernel import sockets
from skverdict.runtime.kernel.attachments import Attachments
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.cgroup import open_cgroup
from skverdict.runtime.kernel.errors import NO_HINTS, KernelUseError, refusals
from skverdict.runtime.kernel.information import ProgramInfo
from skverdict.runtime.kernel.ledger import Ledger
from skverdict.runtime.kernel.libbpf import load_library
from skverdict.runtime.kernel.link import KernelLink
from skverdict.runtime.kernel.loading import LoadedObject
from skverdict.runtime.kernel.maps import KernelMap
from skverdict.runtime.kernel.printed import TracePipe
from skverdict.runtime.kernel.sockets import KernelSocket
from skverdict.runtime.kernel.source import Source, read_source
from skverdict.runtime.kernel.views import Closable, view_of
from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.sockets.programs import places_of
from skverdict.runtime.variables import Globals, with_values

if TYPE_CHECKING:
    import socket

    from skverdict.dsl import Policy

#: How long a socket waits after what may cause work in the background, in seconds.
SETTLE = 0.02

#: What else an error means where a program cannot be attached to such a place (net/core/sock_map.c).
HINTS = {
    "stream_parser": {
        Errno.EOPNOTSUPP: "the map takes no programs, or the kernel was built without "
        "CONFIG_BPF_STREAM_PARSER, as 'skverdict doctor' tells",
        Errno.EINVAL: "Linux 7.2 takes no parser that may change the packet",
    }
}


class KernelProgram:
    """A program in the kernel. `kind` is the one of its section, None where that says nothing known."""

    def __init__(self, bpf: Bpf, name: str, kind: str | None, descriptor: int) -> None:
        self._bpf = bpf
        self.name = name
        self.kind = kind
        self.descriptor = descriptor

    @property
    def info(self) -> ProgramInfo:
        """What the kernel tells of it now."""
        return self._bpf.program_info(self.descriptor)


class Kernel:
    """Runs the programs of `source` on this machine: a policy, the bytes of an object, the path of a `.o`,
    or a `Source`, which is read once for many.

    `max_entries` overrides what maps declare, and `data` the content of data sections (`.rodata`, `.data`,
    `.bss`), both by name. `globals` sets variables by name, before programs see them; constants only so.
    `pins` are paths in a BPF file system for maps to share, by name: what is pinned there is used, and
    otherwise made and pinned. `ledger` is told of what is made and attached. `settle` is how long the sockets
    that this object makes wait after each call for the kernel's work in the background, in seconds. `bpf` is
    the libbpf to use.

    It is to be closed, best by `with`: then the programs are detached, the sockets closed, and what is not
    pinned is gone from the kernel. A process that is killed leaves no more behind than that. With `keep`,
    programs on pinned maps stay attached, as do those whose links `ledger` pins.

    Raises KernelUnavailable where this process cannot use BPF, VerifierError if the kernel refuses a
    program, ObjectError, and OSError with the kernel's number for other refusals.
    """

    def __init__(
        self,
        source: Policy | Source | bytes | str | os.PathLike[str],
        *,
        max_entries: Mapping[str, int] | None = None,
        data: Mapping[str, bytes] | None = None,
        globals: Mapping[str, Any] | None = None,
        pins: Mapping[str, str] | None = None,
        keep: bool = False,
        ledger: Ledger | None = None,
        settle: float = SETTLE,
        bpf: Bpf | None = None,
    ) -> None:
        if settle < 0:
            raise KernelUseError("settle is a number of seconds, 0 or more")
        given = read_source(source)
        self.object = given.object
        self.settle = settle
        self._keep = keep
        self.bpf = bpf or Bpf(load_library())
        contents = {**with_values(self.object, globals or {}), **(data or {})}
        self._loaded = LoadedObject(self.bpf, given, max_entries=max_entries, data=contents, pins=pins)
        links = ledger is not None or (bool(pins) and not keep)
        self._attachments = Attachments(self.bpf, links, ledger)
        self._cgroups: dict[str, int] = {}
        self._sockets: list[KernelSocket] = []
        self._links: list[KernelLink] = []
        self._pairs = 0
        self._open = True
        if ledger is not None:
            self._tell(ledger)
        kinds = {name: program.kind for name, program in self.object.programs.items()}
        self.programs: Mapping[str, KernelProgram] = {
            name: KernelProgram(self.bpf, name, kinds.get(name), descriptor)
            for name, descriptor in self._loaded.programs.items()
        }
        self.globals = Globals(self.object, self._loaded.data)
        self.maps: Mapping[str, Any] = _Named(
            {
                name: view_of(self.bpf, raw, self.object.btf, self._loaded.programs)
                for name, raw in self._loaded.maps.items()
            }
        )
        self._pipe: TracePipe | None = None
        self._printed: list[str] = []

    def _tell(self, ledger: Ledger) -> None:
        """Tell of what is loaded; what cannot be written down does not stay."""
        maps = {name: map_.descriptor for name, map_ in self._loaded.maps.items()}
        try:
            ledger.loaded(self.bpf, maps, self._loaded.programs)
        except BaseException:
            self._loaded.close()
            raise

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach, close the sockets and let the kernel forget what is not pinned; twice is once."""
        if not self._open:
            return
        self._open = False
        with ExitStack() as steps:  # the last one is taken first, and each one whatever became of the others
            steps.callback(self._loaded.close)
            for view in self.maps.values():
                if isinstance(view, Closable):
                    steps.callback(view.close)
            if self._pipe is not None:
                steps.callback(self._pipe.close)
            for descriptor in self._cgroups.values():
                steps.callback(os.close, descriptor)
            steps.callback(self._attachments.forget if self._keep else self._attachments.close)
            for link in self._links:
                steps.callback(link.close)
            for each in self._sockets:
                steps.callback(each.python.close)

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
        map of another kind, and for a parser on a kernel without CONFIG_BPF_STREAM_PARSER. EBUSY also where a link
        of somebody else holds a program.
        """
        given = {"stream_parser": parser, "stream_verdict": stream_verdict, "skb_verdict": skb_verdict}
        for place, program in self._places({**given, "msg_verdict": msg_verdict}, verdict):
            with refusals(f"{program.name} on map {map_name}", HINTS.get(place, NO_HINTS)):
                map_ = self._map(map_name)
                attach_type = PROGRAMS[place].attach_type
                self._attachments.attach_to_map(program.descriptor, map_.descriptor, attach_type)

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
        given = {"stream_parser": parser, "stream_verdict": stream_verdict, "skb_verdict": skb_verdict}
        for place, program in self._places({**given, "msg_verdict": msg_verdict}, verdict):
            with refusals(f"{program.name} on map {map_name}"):
                map_ = self._map(map_name)
                attach_type = PROGRAMS[place].attach_type
                self._attachments.detach_from_map(program.descriptor, map_.descriptor, attach_type)

    def link(
        self,
        map_name: str,
        *,
        parser: str | None = None,
        verdict: str | None = None,
        msg_verdict: str | None = None,
        stream_verdict: str | None = None,
        skb_verdict: str | None = None,
    ) -> KernelLink:
        """Attach one program to a socket map for as long as the link that this gives is there; meanwhile nobody
        else can attach, detach or link in its place, which is EBUSY. Linux 6.10 and later. `close` closes it.

        Raises OSError as `attach`, but EINVAL for a map of another kind, and where there are no such links.
        """
        given = {"stream_parser": parser, "stream_verdict": stream_verdict, "skb_verdict": skb_verdict}
        places = list(self._places({**given, "msg_verdict": msg_verdict}, verdict))
        if len(places) > 1:
            raise KernelUseError("a link holds one program")
        ((place, program),) = places
        with refusals(f"a link of {program.name} on map {map_name}", HINTS.get(place, NO_HINTS)):
            map_ = self._map(map_name)
            descriptor = self.bpf.link(program.descriptor, map_.descriptor, PROGRAMS[place].attach_type)
        link = KernelLink(self.bpf, descriptor, map_name, lambda name: self._program(name).descriptor)
        self._links.append(link)
        return link

    def _places(
        self, given: Mapping[str, str | None], verdict: str | None
    ) -> Iterator[tuple[str, KernelProgram]]:
        """The places that programs are meant for, the parser's first."""
        places = places_of(given, verdict, lambda name: self._program(name).kind, KernelUseError)
        return ((place, self._program(name)) for place, name in places)

    def _program(self, name: str) -> KernelProgram:
        if name not in self.programs:
            raise KernelUseError(f"no program {name!r}; there are {', '.join(self.programs) or 'none'}")
        return self.programs[name]

    def _map(self, name: str) -> KernelMap:
        raw: KernelMap = self.maps[name].raw
        return raw

    def attach_cgroup(self, name: str, cgroup: str | os.PathLike[str] | None = None) -> None:
        """Attach a sock_ops program to a cgroup, beside those attached before: it is called for the TCP
        sockets that processes in there make from now on.

        `cgroup` is a folder of the cgroup2 file system, by default the one that this process is in. Raises
        OSError: EINVAL for a program of another kind, ENOENT if there is no such folder.
        """
        program = self._program(name)
        with refusals(f"{name} on a cgroup"):
            descriptor = self._cgroup(cgroup)
            attach_type = PROGRAMS["sock_ops"].attach_type
            self._attachments.attach_to_cgroup(program.descriptor, descriptor, attach_type)

    def detach_cgroup(self, name: str, cgroup: str | os.PathLike[str] | None = None) -> None:
        """Detach a sock_ops program. Raises OSError ENOENT if it is not attached."""
        program = self._program(name)
        with refusals(f"{name} on a cgroup"):
            descriptor = self._cgroup(cgroup)
            attach_type = PROGRAMS["sock_ops"].attach_type
            self._attachments.detach_from_cgroup(program.descriptor, descriptor, attach_type)

    def _cgroup(self, path: str | os.PathLike[str] | None) -> int:
        """The descriptor of a cgroup, opened once."""
        key = "" if path is None else os.path.realpath(path)
        if key not in self._cgroups:
            self._cgroups[key] = open_cgroup(path)
        return self._cgroups[key]

    # Sockets

    def tcp_pair(
        self,
        *,
        server_port: int | None = None,
        client_port: int | None = None,
        family: str = "v4",
        server_address: str | None = None,
        client_address: str | None = None,
        names: Sequence[str] | None = None,
        listener: KernelSocket | None = None,
    ) -> tuple[KernelSocket, KernelSocket]:
        """A TCP connection on this machine: the client's socket, and the server's, accepted.

        Ports are chosen and addresses are loopback where they are not given. `family` is `v4` or `v6`.
        `listener` is one to connect to, in place of one for this connection alone.
        """
        at = sockets.end(server_address, server_port, family)
        named = client_address is not None or client_port is not None
        client_end = sockets.end(client_address, client_port, family) if named else None
        with ExitStack() as steps:
            if listener is None:
                accepting = steps.enter_context(sockets.tcp_listener(family, at))
            else:
                accepting = listener.python
            pair = sockets.tcp_pair(family, client_end, accepting)
        return self._cover_pair(pair, names, ("client", "server"))

    def tcp_listener(
        self,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        name: str = "listener",
    ) -> KernelSocket:
        """A listening TCP socket."""
        return self._cover(sockets.tcp_listener(family, sockets.end(address, port, family)), name)

    def tcp_socket(
        self,
        *,
        port: int | None = None,
        family: str = "v4",
        address: str | None = None,
        name: str = "socket",
    ) -> KernelSocket:
        """A TCP socket that was never connected."""
        return self._cover(sockets.tcp_socket(family, sockets.end(address, port, family)), name)

    def udp_pair(
        self,
        *,
        server_port: int | None = None,
        client_port: int | None = None,
        family: str = "v4",
        names: Sequence[str] | None = None,
    ) -> tuple[KernelSocket, KernelSocket]:
        """Two UDP sockets connected to each other."""
        client, server = (sockets.end(None, port, family) for port in (client_port, server_port))
        return self._cover_pair(sockets.udp_pair(family, client, server), names, ("client", "server"))

    def udp_socket(
        self, *, port: int | None = None, family: str = "v4", bound: bool = True, name: str = "socket"
    ) -> KernelSocket:
        """A UDP socket that is connected to none."""
        at = sockets.end(None, port, family)
        return self._cover(sockets.udp_socket(family, at if bound else None), name)

    def unix_pair(
        self, kind: str = "stream", *, names: Sequence[str] | None = None
    ) -> tuple[KernelSocket, KernelSocket]:
        """Two unix sockets connected to each other; `kind` is `stream`, `dgram` or `seqpacket`."""
        return self._cover_pair(sockets.unix_pair(kind), names, ("one", "other"))

    def _cover_pair(
        self,
        made: tuple[socket.socket, socket.socket],
        names: Sequence[str] | None,
        usual: tuple[str, str],
    ) -> tuple[KernelSocket, KernelSocket]:
        """Two sockets as peers, named as usual with a running number unless `names` are given."""
        self._pairs += 1
        first, second = names or (f"{name}{self._pairs}" for name in usual)
        return sockets.pair_up(self._cover(made[0], first), self._cover(made[1], second))

    def _cover(self, made: socket.socket, name: str) -> KernelSocket:
        covered = KernelSocket(made, name, self.settle)
        self._sockets.append(covered)
        return covered

    # What programs tell

    @property
    def printed(self) -> list[str]:
        """What programs on this machine have printed and nobody has read, a line an entry, from the first
        time that this was asked on. Raises KernelUnavailable where the trace pipe cannot be read."""
        if self._pipe is None:
            self._pipe = TracePipe()
        self._printed += [line.text for line in self._pipe.take()]
        return self._printed

    @contextmanager
    def statistics(self) -> Iterator[None]:
        """Have the kernel count the runs of all programs and their time meanwhile, which costs each run some
        nanoseconds. Counts are in the programs' `info`, and stay."""
        descriptor = self.bpf.enable_statistics()
        try:
            yield
        finally:
            os.close(descriptor)

    # Time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise KernelUseError("time does not go back")
        time.sleep(seconds)


class _Named(dict[str, Any]):
    """Maps by name; a name that is not there is told with those that are."""

    def __missing__(self, name: str) -> Any:
        raise KernelUseError(f"no map {name!r}; there are {', '.join(self) or 'none'}")
