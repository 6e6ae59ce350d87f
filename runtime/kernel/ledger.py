"""Keeps a record up to date while a policy is loaded and attached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.place import Place
from skverdict.runtime.kernel.records import ATTACHED, MAPS, PROGRAMS, Record

#: How entries name a cgroup, which no map can be called.
CGROUP = "@cgroup"


class Ledger(Protocol):
    """Is told of what is made in the kernel, by descriptors."""

    def loaded(self, bpf: Bpf, maps: Mapping[str, int], programs: Mapping[str, int]) -> None:
        """Maps were made and programs loaded."""

    def attaching(self, place: Place, program: int) -> None:
        """A program is about to be attached in a way that outlives this process."""

    def linked(self, place: Place, program: int, link: int) -> None:
        """A program was attached by a link, which goes with this process."""


class RecordLedger:
    """Writes down in `record`. With `pin`, everything is pinned there, and stays when the process ends."""

    def __init__(self, record: Record, pin: bool) -> None:
        self._record = record
        self._pin = pin
        self._maps: dict[int, str] = {}
        self._programs: dict[int, str] = {}

    def loaded(self, bpf: Bpf, maps: Mapping[str, int], programs: Mapping[str, int]) -> None:
        self._bpf = bpf
        self._maps = {descriptor: name for name, descriptor in maps.items()}
        self._programs = {descriptor: name for name, descriptor in programs.items()}
        for name, descriptor in maps.items():
            self._write(MAPS, name, descriptor, bpf.map_info(descriptor).id)
        for name, descriptor in programs.items():
            self._write(PROGRAMS, name, descriptor, bpf.program_info(descriptor).id)

    def _write(self, part: str, name: str, descriptor: int, number: int) -> None:
        if self._pin:
            self._bpf.pin(descriptor, str(self._record.place(part, name)))
        else:
            self._record.note(f"{part}/{name}", str(number))

    def attaching(self, place: Place, program: int) -> None:
        text = f"{self._target(place)} {self._programs[program]} {place.attach_type}"
        self._record.note(f"{ATTACHED}/{self._name(place, program)}", text)

    def linked(self, place: Place, program: int, link: int) -> None:
        if self._pin:
            self._bpf.pin(link, str(self._record.place(ATTACHED, self._name(place, program))))

    def _target(self, place: Place) -> str:
        return self._maps.get(place.target, CGROUP)

    def _name(self, place: Place, program: int) -> str:
        return f"{self._target(place)}-{self._programs[program]}-{place.attach_type}"
