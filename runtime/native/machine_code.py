"""LLVM as the native engine uses it: from a module's text to an object, and from an object to an address."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
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
def _machine() -> Any:
    here = processor()
    target = _binding().Target.from_triple(here.triple)
    return target.create_target_machine(
        cpu=here.name, features=here.features, opt=_LEVEL, reloc="pic", codemodel="small", jit=True
    )


def compile_module(text: str) -> bytes:
    """The object that LLVM makes of a module."""
    binding, machine = _binding(), _machine()
    module = binding.parse_assembly(text)
    tuning = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
    # Loops look at the budget each time round, so that they gain nothing by this, and it takes long.
    tuning.loop_unrolling = tuning.loop_interleaving = False
    tuning.loop_vectorization = tuning.slp_vectorization = False
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    content: bytes = machine.emit_object(module)
    return content


class Linked:
    """An object in memory. `entry` is good for as long as this is there."""

    def __init__(self, content: bytes, name: str) -> None:
        binding = _binding()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _own_machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(content))
        self._engine.finalize_object()
        self.entry: Entry = _ENTRY(self._engine.get_function_address(name))


def _own_machine() -> Any:
    """A machine for an engine to own."""
    here = processor()
    return _binding().Target.from_triple(here.triple).create_target_machine(jit=True, codemodel="jitdefault")
