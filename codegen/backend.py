"""LLVM's part: assembly language in, ELF object out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skverdict.codegen.target import Target

# LLVM ends the process when a stack frame is too large, so it gets a limit that no policy reaches; the
# instructions that come out are held against the real one.
_OPTIONS = "-bpf-stack-size=32000"
_OPTIMISATION_LEVEL = 2


@cache
def _llvm() -> Any:
    """llvmlite's binding, made ready for the BPF targets."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.set_option("skverdict", _OPTIONS)
    return llvm


@cache
def _machine(target: Target) -> tuple[Any, Any]:
    """The target machine and the options of its optimisation pipeline."""
    llvm = _llvm()
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, opt=_OPTIMISATION_LEVEL
    )
    options = llvm.create_pipeline_tuning_options(speed_level=_OPTIMISATION_LEVEL)
    return machine, options


def compile_text(text: str, target: Target) -> bytes:
    """The ELF object that LLVM makes of a module in its assembly language."""
    llvm = _llvm()
    machine, options = _machine(target)
    with llvm.parse_assembly(text) as module:
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        content: bytes = machine.emit_object(module)
        return content
