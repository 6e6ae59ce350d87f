"""LLVM through llvmlite's shared library itself, for the releases whose C functions are known.

Importing `llvmlite.binding` takes three times as long as loading the library under it, which is most of a
small build. This speaks to the library directly; `llvm_binding` does the same through llvmlite's public
interface, for every other release, and a test holds the two against each other.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p, string_at
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Releases of llvmlite whose C functions take and give what `_FUNCTIONS` says.
RELEASES = ("0.50.",)

_OUT = POINTER(c_char_p)

# Result, then arguments; an `_OUT` is a string that the library allocates.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "InitializeAllTargetInfos": (None,),
    "InitializeAllTargets": (None,),
    "InitializeAllTargetMCs": (None,),
    "InitializeAllAsmPrinters": (None,),
    "SetCommandLine": (None, c_char_p, c_char_p),
    "GetGlobalContext": (c_void_p,),
    "DisposeString": (None, c_void_p),
    "ParseAssembly": (c_void_p, c_void_p, c_char_p, _OUT),
    "PrintModuleToString": (None, c_void_p, _OUT),
    "DisposeModule": (None, c_void_p),
    "GetTargetFromTriple": (c_void_p, c_char_p, _OUT),
    "CreateTargetMachine": (
        c_void_p, c_void_p, c_char_p, c_char_p, c_char_p, c_int, c_char_p, c_char_p, c_int, c_int, c_char_p,
    ),
    "CreatePipelineTuningOptions": (c_void_p,),
    "CreatePassBuilder": (c_void_p, c_void_p, c_void_p),
    "DisposePassBuilder": (None, c_void_p),
    "buildPerModuleDefaultPipeline": (c_void_p, c_void_p, c_int),
    "CreateNewModulePassManager": (c_void_p,),
    "module_AddSROAPass": (None, c_void_p),
    "module_AddSimplifyCFGPass": (None, c_void_p),
    "module_AddNewGVNPass": (None, c_void_p),
    "module_AddInstCombinePass": (None, c_void_p),
    "RunNewModulePassManager": (None, c_void_p, c_void_p, c_void_p),
    "DisposeNewModulePassManger": (None, c_void_p),
    "TargetMachineEmitToMemory": (c_void_p, c_void_p, c_void_p, c_int, _OUT),
    "GetBufferStart": (c_void_p, c_void_p),
    "GetBufferSize": (c_size_t, c_void_p),
    "DisposeMemoryBuffer": (None, c_void_p),
}  # fmt: skip

# The library's function that adds a pass, by llvmlite's name of the pass.
_ADDING = {
    "sroa": "module_AddSROAPass",
    "simplify_cfg": "module_AddSimplifyCFGPass",
    "new_gvn": "module_AddNewGVNPass",
    "instruction_combine": "module_AddInstCombinePass",
}


def known() -> bool:
    """True if the installed llvmlite is of a release whose C functions are known here."""
    import llvmlite

    return str(llvmlite.__version__).startswith(RELEASES)


class _Library:
    """The shared library with its functions typed, LLVM's targets registered and `options` set."""

    def __init__(self, options: Sequence[str]) -> None:
        import os

        import llvmlite
        from llvmlite.utils import get_library_name

        path = os.path.join(llvmlite.__path__[0], "binding", get_library_name())
        self._library = ctypes.CDLL(path)
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(self._library, f"LLVMPY_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.InitializeAllTargetInfos()
        self.InitializeAllTargets()
        self.InitializeAllTargetMCs()
        self.InitializeAllAsmPrinters()
        for option in options:
            self.SetCommandLine(b"skverdict", option.encode())

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not among the functions of the library")

    def taken(self, out: c_char_p) -> str:
        """The text of an output string, which is then given back to the library."""
        text = (out.value or b"").decode()
        self.DisposeString(out)
        return text


# LLVM takes an option once in a process, and its targets are registered once.
_load = cache(_Library)


class Module:
    """One module; freed with the last reference to it."""

    def __init__(self, library: _Library, handle: int) -> None:
        self._library = library
        self.handle = handle

    def __del__(self) -> None:
        self._library.DisposeModule(self.handle)


class Llvm:
    """LLVM for one target: `triple` and `cpu` as it names them, at optimisation level `level`.

    Raises RuntimeError with LLVM's own message where LLVM refuses something.
    """

    def __init__(self, triple: str, cpu: str, level: int, options: tuple[str, ...]) -> None:
        self._library = library = _load(options)
        self._level = level
        message = c_char_p()
        target = library.GetTargetFromTriple(triple.encode(), byref(message))
        if not target:
            raise RuntimeError(library.taken(message))
        self._machine = library.CreateTargetMachine(
            target, triple.encode(), cpu.encode(), b"", level, b"default", b"default", 0, 0, b""
        )
        self._tuning = library.CreatePipelineTuningOptions()

    def parse(self, text: str) -> Module:
        """The module that `text` spells in LLVM's assembly language."""
        message = c_char_p()
        handle = self._library.ParseAssembly(
            self._library.GetGlobalContext(), text.encode(), byref(message)
        )
        if message.value:
            raise RuntimeError(self._library.taken(message))
        return Module(self._library, handle)

    def optimise(self, module: Module, passes: Sequence[str] = ()) -> None:
        """Run `passes`, by llvmlite's names, on `module`; without any, the default pipeline."""
        library = self._library
        builder = library.CreatePassBuilder(self._machine, self._tuning)
        if passes:
            manager = library.CreateNewModulePassManager()
            for name in passes:
                getattr(library, _ADDING[name])(manager)
        else:
            manager = library.buildPerModuleDefaultPipeline(builder, self._level)
        library.RunNewModulePassManager(manager, module.handle, builder)
        library.DisposeNewModulePassManger(manager)
        library.DisposePassBuilder(builder)

    def text(self, module: Module) -> str:
        """`module` in LLVM's assembly language."""
        out = c_char_p()
        self._library.PrintModuleToString(module.handle, byref(out))
        return self._library.taken(out)

    def assembly(self, module: Module) -> str:
        """The target's assembly language for `module`."""
        return self._emit(module, as_object=False).decode()

    def object(self, module: Module) -> bytes:
        """The ELF object for `module`."""
        return self._emit(module, as_object=True)

    def _emit(self, module: Module, as_object: bool) -> bytes:
        library, message = self._library, c_char_p()
        buffer = library.TargetMachineEmitToMemory(
            self._machine, module.handle, int(as_object), byref(message)
        )
        if not buffer:
            raise RuntimeError(library.taken(message))
        try:
            return string_at(library.GetBufferStart(buffer), library.GetBufferSize(buffer))
        finally:
            library.DisposeMemoryBuffer(buffer)
