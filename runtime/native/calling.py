"""Calls: of functions of the program, once or in a loop, and of the helpers that native code is for by itself."""

from __future__ import annotations

from collections.abc import Sequence

from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.native import entries, layout
from skverdict.runtime.native.body import FIRST_VARIABLE, SPENT, STATUS, VALUE, Body
from skverdict.runtime.native.facts import Redirect
from skverdict.runtime.native.graph import Site, is_local_call
from skverdict.runtime.native.proof import Lookup

_ARRAYS = ("array", "percpu_array")


class Calls(Body):
    """A function's calls."""

    def _call(self, site: Site) -> None:
        lookup = self.facts.proof.lookups.get(site.slot)
        if is_local_call(site):
            self._local_call(site)
        elif lookup is not None and lookup.name in self.needs.tables:
            self._lookup(site, lookup)
        elif site.slot in self.facts.redirects:
            self._redirect(site)
        elif site.slot in self.facts.loops:
            self._loop(site)
        else:
            self._perform(site)

    def _lookup(self, site: Site, lookup: Lookup) -> None:
        """Look up an entry of a map, whose value gets an address if it has none in this run yet."""
        writer = self.writer
        table = layout.TABLES + layout.WORD * self.needs.tables.index(lookup.name)
        there, known, new, give, found, done = (writer.label() for _ in range(6))
        count = self._variable("calls")
        python = self._python_instead(site, done)
        room = writer.label()
        writer.branch(writer.value(f"icmp ult i64 {count}, {layout.MAX_CALLS}"), room, python, "usual")
        writer.begin(room)
        self._put(0, 0)
        self._point(0, "0")
        find = self._index if self.facts.tables[lookup.name].kind in _ARRAYS else self._key
        place, entry = find(lookup, self._shared(table), there, found, python)
        run_at, address_at = writer.at(entry, entries.RUN), writer.at(entry, entries.ADDRESS)
        bytes_at = writer.load(writer.at(entry, entries.BYTES))
        writer.branch(writer.value(f"icmp eq i64 {writer.load(run_at)}, %run"), known, new)
        writer.begin(known)
        self._put(0, writer.load(address_at))
        self._point(0, bytes_at)
        writer.add(f"br label %{found}")

        writer.begin(new)
        given = self._variable("given")
        seen = writer.value(f"icmp ne i64 {bytes_at}, 0")
        fits = writer.value(f"icmp ult i64 {given}, {layout.MAX_GIVEN}")
        writer.branch(writer.value(f"and i1 {seen}, {fits}"), give, python, "usual")
        writer.begin(give)
        number = writer.value(f"add i64 {self._variable('last')}, 1")
        address = self._address_of(number)
        self._set_variable("last", number)
        writer.store("%run", run_at)
        writer.store(address, address_at)
        self._note(layout.GIVEN, given, layout.GIVEN_SIZE, (table, place, address))
        self._set_variable("given", writer.value(f"add i64 {given}, 1"))
        self._put(0, address)
        self._point(0, bytes_at)
        writer.add(f"br label %{found}")

        writer.begin(found)
        call = writer.value(f"or i64 {place}, {site.slot << 32}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, self._get(0)))
        self._set_variable("calls", writer.value(f"add i64 {count}, 1"))
        self._end_reach(done)

    def _index(self, lookup: Lookup, table: str, there: str, found: str, python: str) -> tuple[str, str]:
        """Begin `there` with the entry that an array has at an index, or go to `found` if that is past its end; the
        index and the entry."""
        writer, traits = self.writer, self.facts.tables[lookup.name]
        key = self._from_memory(writer.load(writer.at("%frame", lookup.offset), 32), 4)
        index = writer.resized(key, 32, 64)
        inside = writer.value(f"icmp ult i64 {index}, {traits.max_entries}")
        # Python knows whether the map has anything for the CPU at all.
        writer.branch(inside, there, python if traits.kind == "percpu_array" else found)
        writer.begin(there)
        rows = writer.value(f"inttoptr i64 {table} to ptr")
        return index, writer.at(rows, writer.value(f"mul i64 {index}, {entries.SIZE}"))

    def _key(self, lookup: Lookup, table: str, there: str, found: str, python: str) -> tuple[str, str]:
        """Likewise for a hash and the place of a key: to `found` if it is known that the map has no such key, to
        `python` if nothing is known."""
        writer, traits = self.writer, self.facts.tables[lookup.name]
        known = writer.label()
        rows, key = writer.value(f"inttoptr i64 {table} to ptr"), writer.at("%frame", lookup.offset)
        shift = 64 - entries.hashed_bits(traits.max_entries)
        entry = writer.value(f"call fastcc ptr @find_{traits.key_size}(ptr {rows}, ptr {key}, i64 {shift})")
        writer.branch(writer.value(f"icmp eq ptr {entry}, null"), python, known, "rare")
        writer.begin(known)
        place = writer.load(writer.at(entry, entries.PLACE))
        state = writer.load(writer.at(entry, entries.STATE))
        writer.branch(writer.value(f"icmp eq i64 {state}, {entries.ABSENT}"), found, there)
        writer.begin(there)
        return place, entry

    def _redirect(self, site: Site) -> None:
        """Note a redirect, which succeeds where the map has a socket that takes one."""
        writer, redirect = self.writer, self.facts.redirects[site.slot]
        go_on, noted, done = (writer.label() for _ in range(3))
        flags, count = self._get(4), self._variable("calls")
        python = self._python_instead(site, done)
        room = writer.value(f"icmp ult i64 {count}, {layout.MAX_CALLS}")
        known = writer.value(f"icmp ult i64 {flags}, 2")
        writer.branch(writer.value(f"and i1 {room}, {known}"), go_on, python, "usual")
        writer.begin(go_on)
        targets = writer.value(f"inttoptr i64 {self._shared(layout.TARGETS)} to ptr")
        if redirect.key_offset is None:
            place = self._target_at(redirect, targets, noted)
        else:
            place = self._target_of_key(redirect, redirect.key_offset, targets, noted, python)
        writer.begin(noted)
        call = writer.value(f"or i64 {place}, {site.slot << 32}")
        result = writer.value(f"or i64 {self._get(0)}, {writer.value(f'shl i64 {flags}, 32')}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, result))
        self._set_variable("calls", writer.value(f"add i64 {count}, 1"))
        self._end_reach(done)

    def _target_at(self, redirect: Redirect, targets: str, noted: str) -> str:
        """Have r0 tell whether there is a target at an index, which this gives, and go to `noted`."""
        writer, there = self.writer, self.writer.label()
        place = writer.resized(self._low(3, 32), 32, 64)
        self._put(0, 0)
        writer.branch(writer.value(f"icmp ult i64 {place}, {redirect.entries}"), there, noted)
        writer.begin(there)
        self._put(0, writer.resized(writer.load(writer.at(targets, place), 8), 8, 64))
        writer.add(f"br label %{noted}")
        return place

    def _target_of_key(self, redirect: Redirect, offset: int, targets: str, noted: str, python: str) -> str:
        """Likewise for the key at `offset` in the stack and its place among the keys that there are; to Python for
        others."""
        writer = self.writer
        look, compare, following, found = (writer.label() for _ in range(4))
        parts = entries.parts_of_key(redirect.key_size)
        key = [writer.load(writer.at("%frame", offset + at), 8 * size) for at, size in parts]
        size = layout.TARGET_KEY + -(-redirect.key_size // layout.WORD) * layout.WORD
        count, rows = writer.load(targets), writer.at(targets, layout.WORD)
        self._set_variable("scan", 0)
        writer.add(f"br label %{look}")
        writer.begin(look)
        place = self._variable("scan")
        writer.branch(writer.value(f"icmp ult i64 {place}, {count}"), compare, python)
        writer.begin(compare)
        entry = writer.at(rows, writer.value(f"mul i64 {place}, {size}"))
        same = "true"
        for (at, bytes_), part in zip(parts, key, strict=True):
            other = writer.load(writer.at(entry, layout.TARGET_KEY + at), 8 * bytes_)
            same = writer.value(f"and i1 {same}, {writer.value(f'icmp eq i{8 * bytes_} {other}, {part}')}")
        writer.branch(same, found, following)
        writer.begin(following)
        self._set_variable("scan", writer.value(f"add i64 {place}, 1"))
        writer.add(f"br label %{look}")
        writer.begin(found)
        self._put(0, writer.load(entry))
        writer.add(f"br label %{noted}")
        return place

    def _note(self, where: int, count: str, size: int, numbers: tuple[str | int, ...]) -> None:
        """Write a row into a list of shared memory that has so many."""
        writer = self.writer
        rows = writer.value(f"inttoptr i64 {self._shared(where)} to ptr")
        row = writer.at(rows, writer.value(f"mul i64 {count}, {size}"))
        for place, number in enumerate(numbers):
            writer.store(number, writer.at(row, place * layout.WORD))

    def _local_call(self, site: Site) -> None:
        writer = self.writer
        writer.store(site.slot, writer.at("%frame", layout.FRAME_SLOT))
        enter, full = writer.label(), writer.label()
        frame = self._frame_behind()
        writer.branch(self._has_room(frame), enter, full, "usual")

        def write() -> None:
            writer.begin(full)
            self._perform(site)
            writer.add("unreachable")

        self.cold.append(write)
        writer.begin(enter)
        always = self.facts.registers.before[site.slot].always
        arguments = [self._get(register) if always >> register & 1 else "0" for register in range(1, 6)]
        self._put(0, self._enter(site, frame, arguments))

    def _frame_behind(self) -> str:
        """The frame of a function that is called here."""
        return self.writer.at("%frame", layout.FRAME_SIZE)

    def _has_room(self, frame: str) -> str:
        """Whether there is room for a frame."""
        end = self.writer.value(f"inttoptr i64 {self._shared(layout.FRAMES_END)} to ptr")
        return self.writer.value(f"icmp ult ptr {frame}, {end}")

    def _enter(self, site: Site, frame: str, arguments: Sequence[str]) -> str:
        """Call a function of the program, and go on where it returns; what it gives."""
        writer = self.writer
        number = writer.value(f"add i64 {self._variable('last')}, 1")
        self._set_variable("last", number)
        values = (number, self._left(), *arguments, *map(self._variable, self.state))
        given = ", ".join(f"i64 {value}" for value in values)
        result = writer.value(f"call fastcc {self.result} @f{site.target}(ptr %s, ptr {frame}, ptr %row, {given})")

        def part(place: int) -> str:
            return writer.value(f"extractvalue {self.result} {result}, {place}")

        status = part(STATUS)
        returned, ended = writer.label(), writer.label()
        writer.branch(writer.value(f"icmp eq i64 {status}, {layout.RETURNED}"), returned, ended, "usual")

        def unwind() -> None:
            writer.begin(ended)
            self._set_variable("slot", site.slot)
            self._set_variable("extra", status)
            writer.add("br label %unwind")

        self.cold.append(unwind)
        writer.begin(returned)
        for place, name in enumerate(self.state, FIRST_VARIABLE):
            self._set_variable(name, part(place))
        self._set_variable("left", writer.value(f"sub i64 {self._variable('left')}, {part(SPENT)}"))
        return part(VALUE)

    def _loop(self, site: Site) -> None:
        """Call a function until it gives other than zero, at most so many times."""
        writer = self.writer
        begin, look, again, over, done = (writer.label() for _ in range(5))
        python = self._python_instead(site, done)
        rounds, context = writer.resized(self._low(1, 32), 32, 64), self._get(3)
        frame = self._frame_behind()
        conditions = (
            self._has_room(frame),
            writer.value(f"icmp eq i64 {self._get(4)}, 0"),
            writer.value(f"icmp ule i64 {rounds}, {MAX_LOOPS}"),
            writer.value(f"icmp ult i64 {self._variable('calls')}, {layout.MAX_CALLS}"),
        )
        holds = "true"
        for condition in conditions:
            holds = writer.value(f"and i1 {holds}, {condition}")
        writer.branch(holds, begin, python, "usual")
        writer.begin(begin)
        for value, place in (
            (site.slot, layout.FRAME_SLOT),
            (rounds, layout.FRAME_ROUNDS),
            (context, layout.FRAME_CONTEXT),
        ):
            writer.store(value, writer.at("%frame", place))
        self._set_variable("scan", 0)
        writer.add(f"br label %{look}")
        writer.begin(look)
        round_ = self._variable("scan")
        writer.branch(writer.value(f"icmp ult i64 {round_}, {rounds}"), again, over)
        writer.begin(again)
        writer.store(round_, writer.at("%frame", layout.FRAME_ROUND))
        value = self._enter(site, frame, (round_, context, "0", "0", "0"))
        self._set_variable("scan", writer.value(f"add i64 {round_}, 1"))
        writer.branch(writer.value(f"icmp eq i64 {value}, 0"), look, over)
        writer.begin(over)
        self._put(0, self._variable("scan"))
        count = self._variable("calls")
        call = writer.value(f"or i64 {rounds}, {site.slot << 32}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, self._get(0), context, site.target))
        self._set_variable("calls", writer.value(f"add i64 {count}, 2"))
        self._end_reach(done)
