"""Programs as native code: made once, run often, and left to the interpreter where that is not possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.memory import Bytes, FunctionRegion
from skverdict.runtime.machine.run import LoadedProgram, Result
from skverdict.runtime.maps.base import Map
from skverdict.runtime.native.batch import Batch
from skverdict.runtime.native.code import NoNativeCode
from skverdict.runtime.native.columns import Columns, Done
from skverdict.runtime.native.native_code import NativeCode, row_of
from skverdict.runtime.native.shared import Shared
from skverdict.runtime.native.source import source_of
from skverdict.runtime.native.tables import table as table_of
from skverdict.runtime.native.tiers import MachineCode
from skverdict.runtime.native.work import Work

# Shared memory that no run uses now.
_idle: list[Shared] = []


def compile_program(
    loaded: LoadedProgram,
    table: str,
    maps: Mapping[str, Map],
    data: Mapping[str, Bytes],
    environment: Environment,
    redirects_in: str = "",
) -> NativeCode:
    """Make native code of a program that was loaded with all this. `table` is its context's.

    Redirects by the socket map `redirects_in` are only noted, which is for `run_columns` alone. Raises NoNativeCode.
    """
    source = source_of(loaded, table, maps, data, environment, redirects_in)
    try:
        machine = MachineCode(source)
    except RuntimeError as error:
        raise NoNativeCode(f"LLVM makes no code of {loaded.name}: {error}") from None
    known = machine.outline
    find: dict[str, Callable[[str], Map | Bytes | FunctionRegion]] = {
        "map": maps.__getitem__,
        "data": data.__getitem__,
        "function": lambda slot: loaded.named[int(slot)],
    }
    things = tuple(find[kind](name) for kind, name in known.needs.addresses)
    tables = tuple(table_of(maps[name]) for name in known.needs.tables)
    return NativeCode(loaded, machine, known, things, tables, row_of(known.needs), Work(loaded.program, known))


def run(code: NativeCode, context: Context, environment: Environment) -> Result:
    """Run native code on `context` until the program exits; as the interpreter's `run`. Raises Fault."""
    [outcome] = run_batch(code, (context,), environment)
    if isinstance(outcome, Fault):
        raise outcome
    return outcome


def run_batch(code: NativeCode, contexts: Sequence[Context], environment: Environment) -> list[Result | Fault]:
    """Run native code on each of the contexts in turn; what became of each run.

    The same as `run` for one after the other, but that native code goes on to the next by itself. Each context
    is asked for its fields and its packet before the first run.
    """
    shared = _idle.pop() if _idle else Shared()
    try:
        return Batch(code, shared, contexts, environment).go()
    finally:
        _idle.append(shared)


def run_columns(code: NativeCode, columns: Columns, targets: bytearray, budget: int) -> Done:
    """Run native code that runs `alone` once for each row of `columns`, up to the first run that it
    cannot do by itself.

    `targets` has a byte for each entry of the map that redirects are noted in: 1 where one may go there, else 0.
    """
    shared = _idle.pop() if _idle else Shared()
    try:
        return columns.run(code, shared, targets, budget)
    finally:
        _idle.append(shared)
