"""LLVM as the native engine uses it: from a module's text to an object, and from an object to an address.

An object is made quickly or well. What is made quickly takes a sixth of the time, and runs at a fifth to a third of the
speed, which is still hundreds of times that of the interpreter.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, NamedTuple

#: Native code that runs a program: from the shared memory, the first frame, the runs and their number to how many
#: of them it did.
Entry = Callable[[int, int, int, int], int]

# Called with Python's lock held, so that a call costs little; so is the function that it calls back.
_ENTRY = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3, ctypes.c_int64)

_LEVEL = 2


class Processor(NamedTuple):
    """The processor that code is for, as LLVM names it."""

    triple: str
    name: str
    features: str
    llvm: str


@cache
def _binding() -> Any:
    import llvmlite.binding

    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    return llvmlite.binding


@cache
def processor() -> Processor:
    """The processor that this is."""
    binding = _binding()
    version = ".".join(str(part) for part in binding.llvm_version_info)
    features = binding.get_host_cpu_features().flatten()
    return Processor(binding.get_process_triple(), binding.get_host_cpu_name(), features, version)


@cache
def _machine(level: int) -> Any:
    here = processor()
    target = _binding().Target.from_triple(here.triple)
    return target.create_target_machine(
        cpu=here.name, features=here.features, opt=level, reloc="pic", codemodel="small", jit=True
    )


def compile_quickly(text: str) -> bytes:
    """An object of a module, soon. Raises RuntimeError if LLVM has none."""
    # No pass pays: where variables become registers, LLVM's quick allocation of these makes the code slower.
    content: bytes = _machine(0).emit_object(_binding().parse_assembly(text))
    return content


def compile_well(text: str) -> bytes:
    """An object of a module that runs fast. Raises RuntimeError if LLVM has none."""
    binding, machine = _binding(), _machine(_LEVEL)
    module = binding.parse_assembly(text)
    tuning = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
    # Loops look at the budget each time round, so that they gain nothing by this, and it takes long.
    tuning.loop_unrolling = tuning.loop_interleaving = False
    tuning.loop_vectorization = tuning.slp_vectorization = False
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    content: bytes = machine.emit_object(module)
    return content


@cache
def _linker() -> Any:
    here = processor()
    machine = _binding().Target.from_triple(here.triple).create_target_machine(jit=True, codemodel="jitdefault")
    return _binding().create_lljit_compiler(machine)


_numbers = count()


class Linked:
    """An object in memory. `entry`, the function `name` of it, is good for as long as this is there."""

    def __init__(self, content: bytes, name: str) -> None:
        library = _binding().JITLibraryBuilder().add_object_img(content).export_symbol(name)
        self._tracker = library.link(_linker(), f"{name}{next(_numbers)}")
        self.entry: Entry = _ENTRY(self._tracker[name])
