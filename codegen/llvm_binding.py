"""LLVM through llvmlite's public interface: the same as `llvm_library`, for any release of llvmlite."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def _load(options: tuple[str, ...]) -> Any:
    """llvmlite's binding with LLVM's targets registered and `options` set, each of which LLVM takes once."""
    import llvmlite.binding

    llvmlite.binding.initialize_all_targets()
    llvmlite.binding.initialize_all_asmprinters()
    for option in options:
        llvmlite.binding.set_option("skverdict", option)
    return llvmlite.binding


class Llvm:
    """LLVM for one target: `triple` and `cpu` as it names them, at optimisation level `level`.

    Raises RuntimeError with LLVM's own message where LLVM refuses something.
    """

    def __init__(self, triple: str, cpu: str, level: int, options: tuple[str, ...]) -> None:
        self._binding = _load(options)
        target = self._binding.Target.from_triple(triple)
        self._machine = target.create_target_machine(cpu=cpu, opt=level)
        self._tuning = self._binding.create_pipeline_tuning_options(speed_level=level)

    def parse(self, text: str) -> Any:
        """The module that `text` spells in LLVM's assembly language."""
        return self._binding.parse_assembly(text)

    def optimise(self, module: Any, passes: Sequence[str] = ()) -> None:
        """Run `passes`, by llvmlite's names, on `module`; without any, the default pipeline."""
        builder = self._binding.create_pass_builder(self._machine, self._tuning)
        if passes:
            manager = self._binding.create_new_module_pass_manager()
            for name in passes:
                getattr(manager, f"add_{name}_pass")()
        else:
            manager = builder.getModulePassManager()
        manager.run(module, builder)

    def text(self, module: Any) -> str:
        """`module` in LLVM's assembly language."""
        return str(module)

    def assembly(self, module: Any) -> str:
        """The target's assembly language for `module`."""
        text: str = self._machine.emit_assembly(module)
        return text

    def object(self, module: Any) -> bytes:
        """The ELF object for `module`."""
        content: bytes = self._machine.emit_object(module)
        return content
