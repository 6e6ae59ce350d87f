"""What runs a program: the interpreter, native code, or native code for what has run long enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import Bytes
from skverdict.runtime.machine.run import LoadedProgram, Result, run
from skverdict.runtime.maps.base import Map

if TYPE_CHECKING:
    from skverdict.runtime.native.native_code import NativeCode

ENGINES = ("auto", "native", "reference")

#: Instructions that the interpreter does in about the time in which LLVM is loaded and makes native code.
_PATIENCE = 500_000
#: What a run costs more as native code, and each helper call that it makes, in instructions of the interpreter.
_RUN_PRICE = 200
_CALL_PRICE = 30
#: Helpers that native code mostly is for by itself.
_UNPRICED = ("bpf_map_lookup_elem", "bpf_loop")


class Surroundings(NamedTuple):
    """What a program was loaded with."""

    maps: Mapping[str, Map]
    data: Mapping[str, Bytes]
    environment: Environment


def _saved(result: Result) -> int:
    """What a run would have saved as native code, in instructions of the interpreter."""
    names = [call.name for call in result.calls]
    # Where a program goes on in another, the interpreter goes on.
    if "bpf_tail_call" in names:
        return -_RUN_PRICE
    return result.instructions - _RUN_PRICE - _CALL_PRICE * sum(name not in _UNPRICED for name in names)


class Engine:
    """Runs one program, as `wanted` by one of `ENGINES`; the results are the same whatever runs it.

    `auto` makes native code once that would have saved as much time as making it takes.

    `reason` tells why the interpreter runs a program that was to be native code, empty if it does not.
    """

    def __init__(self, wanted: str, loaded: LoadedProgram, surroundings: Surroundings) -> None:
        self.reason = ""
        self._loaded = loaded
        self._surroundings = surroundings
        self._code: NativeCode | None = None
        # Instructions to interpret before there is native code; None for all of them.
        self._patience = {"auto": _PATIENCE, "native": 0}.get(wanted)
        # What native code would have saved by now, in instructions of the interpreter.
        self._gain = 0
        self._alone: dict[str, NativeCode | None] = {}

    @property
    def running(self) -> str:
        """What the next run takes: `native` or `reference`."""
        return "native" if self._native() is not None else "reference"

    def run(self, context: Context) -> Result:
        """Run the program on `context`. Raises Fault."""
        code = self._code or self._native()
        if code is None:
            result = run(self._loaded, context, self._surroundings.environment)
            if self._patience:
                self._gain = max(0, self._gain + _saved(result))
                if self._gain > self._patience:
                    self._patience = 0
            return result
        from skverdict.runtime.native.engine import run as run_native

        return run_native(code, context, self._surroundings.environment)

    def _native(self) -> NativeCode | None:
        if self._code is None and self._patience == 0:
            from skverdict.runtime.native.code import NoNativeCode
            from skverdict.runtime.native.engine import compile_program

            maps, data, environment = self._surroundings
            table = PROGRAMS[self._loaded.kind].context
            try:
                self._code = compile_program(self._loaded, table, maps, data, environment)
            except NoNativeCode as error:
                self.reason, self._patience = str(error), None
        return self._code

    def alone(self, redirects_in: str) -> NativeCode | None:
        """Native code that runs many times at once with nobody's help, its redirects by one socket map only noted;
        None where there is none, or where the interpreter is to run all."""
        if self._patience is None:
            return None
        if redirects_in not in self._alone:
            self._alone[redirects_in] = self._made_alone(redirects_in)
        return self._alone[redirects_in]

    def _made_alone(self, redirects_in: str) -> NativeCode | None:
        from skverdict.runtime.native.code import NoNativeCode
        from skverdict.runtime.native.engine import compile_program

        maps, data, environment = self._surroundings
        table = PROGRAMS[self._loaded.kind].context
        try:
            code = compile_program(self._loaded, table, maps, data, environment, redirects_in)
        except NoNativeCode:
            return None
        return code if code.outline.alone else None
