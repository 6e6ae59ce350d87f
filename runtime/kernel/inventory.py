"""What the records tell of, as the kernel has it now, and how it is taken out again."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.entries import entries_of
from skverdict.runtime.kernel.ledger import CGROUP
from skverdict.runtime.kernel.maps import KIND_BY_TYPE
from skverdict.runtime.kernel.records import (
    ATTACHED,
    MAPS,
    PROGRAMS,
    Record,
    RecordHeld,
    is_held,
    locked,
    names,
    noted,
    process_of,
)

#: Seconds that a process gets to detach and end, and between looks at whether it has.
PATIENCE = 10.0
_PAUSE = 0.05


class MapState(NamedTuple):
    """A map: its kind, how many entries it has and can have. `entries` is None where that cannot be told, and
    `kind` is `gone` for a map that is not in the kernel any more."""

    name: str
    kind: str
    entries: int | None
    max_entries: int


class ProgramState(NamedTuple):
    """A program: how often it ran, and how long in all, in nanoseconds, while statistics were on. `there`: it
    is in the kernel."""

    name: str
    there: bool
    runs: int
    run_time: int


class State(NamedTuple):
    """A record as it is now.

    `state` is `running` (a process is at work on it), `pinned` (kept on purpose) or `left over`. `attached`
    are the places that need to be detached, or are by a pinned link.
    """

    name: str
    state: str
    process: int | None
    policy: str
    cgroup: str
    maps: list[MapState]
    programs: list[ProgramState]
    attached: list[str]


def states(bpf: Bpf, folder: Path) -> list[State]:
    """Every record in `folder`, and what of it is in the kernel."""
    return [state_of(bpf, folder / name) for name in names(folder)]


def state_of(bpf: Bpf, path: Path) -> State:
    """The record at `path`; one that is no folder is left over, with nothing in it."""
    held = path.is_dir() and is_held(path)
    cgroup = noted(path, "cgroup") or ""
    return State(
        path.name,
        "running" if held else "pinned" if noted(path, "kept") else "left over",
        process_of(path) if held else None,
        noted(path, "policy") or "",
        f"{cgroup} (gone)" if cgroup and not os.path.isdir(cgroup) else cgroup,
        [_map_state(bpf, path, name) for name in names(path / MAPS)],
        [_program_state(bpf, path, name) for name in names(path / PROGRAMS)],
        names(path / ATTACHED),
    )


def _map_state(bpf: Bpf, path: Path, name: str) -> MapState:
    with _opened(bpf, path, MAPS, name) as descriptor:
        if descriptor is None:
            return MapState(name, "gone", None, 0)
        info = bpf.map_info(descriptor)
        kind = KIND_BY_TYPE.get(info.map_type)
        entries = entries_of(bpf, descriptor, info)
        return MapState(name, kind.kind if kind else str(info.map_type), entries, info.max_entries)


def _program_state(bpf: Bpf, path: Path, name: str) -> ProgramState:
    with _opened(bpf, path, PROGRAMS, name) as descriptor:
        if descriptor is None:
            return ProgramState(name, False, 0, 0)
        info = bpf.program_info(descriptor)
        return ProgramState(name, True, info.runs, info.run_time)


@contextmanager
def _opened(bpf: Bpf, path: Path, part: str, name: str) -> Iterator[int | None]:
    """A descriptor of what an entry pins or notes; None if it is not in the kernel."""
    number = noted(path, f"{part}/{name}")
    try:
        if number is None:
            descriptor = bpf.pinned(str(path / part / name))
        else:
            descriptor = (bpf.map_by_id if part == MAPS else bpf.program_by_id)(int(number))
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove(bpf: Bpf, folder: Path, name: str) -> None:
    """Detach all that record `name` tells of, and remove it; a process that is at work on it is asked to do
    so itself. Raises FileNotFoundError if there is none, and RecordHeld if the process does not end."""
    path = folder / name
    with locked(folder):
        if not path.is_dir():
            os.unlink(path)
            return
        record = _hold(path)
    if record is None:
        return
    try:
        take_out(bpf, record)
    finally:
        record.release()


def take_out(bpf: Bpf, record: Record) -> None:
    """Detach all that a record tells of, and remove it."""
    for entry in names(record.path / ATTACHED):
        note = noted(record.path, f"{ATTACHED}/{entry}")
        if note is not None:
            _detach(bpf, record.path, *note.split(" "))
    record.erase()


def _detach(bpf: Bpf, path: Path, target: str, program: str, attach_type: str) -> None:
    """Undo an attach that was noted, if it was made and is still there."""
    with _opened(bpf, path, PROGRAMS, program) as program_descriptor, _target(bpf, path, target) as where:
        if program_descriptor is None or where is None:
            return
        try:
            bpf.detach(program_descriptor, where, int(attach_type))
        except OSError as error:
            # Never attached, replaced by another program since, or on a cgroup that is gone.
            if error.errno not in (errno.ENOENT, errno.EINVAL, errno.ENODEV):
                raise


@contextmanager
def _target(bpf: Bpf, path: Path, target: str) -> Iterator[int | None]:
    """A descriptor of the map or cgroup that programs are attached to; None if it is gone."""
    if target != CGROUP:
        with _opened(bpf, path, MAPS, target) as descriptor:
            yield descriptor
        return
    try:
        descriptor = os.open(noted(path, "cgroup") or "", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _hold(path: Path) -> Record | None:
    """Hold a record; the process that does so is asked to end, and waited for. None if it took the record
    with it."""
    deadline = time.monotonic() + PATIENCE
    asked = False
    while True:
        try:
            record = Record(path)
        except FileNotFoundError:
            if asked:
                return None
            raise
        except RecordHeld:
            process = process_of(path)
            if process is None or time.monotonic() > deadline or not (asked or _has_open(process, path)):
                raise
            if not asked:
                os.kill(process, signal.SIGTERM)
                asked = True
        else:
            if path.exists():
                return record
            record.release()
            return None
        time.sleep(_PAUSE)


def _has_open(process: int, path: Path) -> bool:
    """Whether that process has the record open: numbers of processes are used again, and are others in
    containers."""
    wanted = os.stat(path)
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{process}/fd"):
            with suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{process}/fd/{descriptor}"), wanted):
                    return True
    return False
