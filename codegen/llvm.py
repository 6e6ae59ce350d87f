"""LLVM for a target, made once: loading it can go on beside other work."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skverdict.codegen.llvm_binding import Llvm as BindingLlvm
    from skverdict.codegen.llvm_library import Llvm as LibraryLlvm
    from skverdict.codegen.target import Target

    Llvm = BindingLlvm | LibraryLlvm

#: Options of LLVM's, which hold for everything that the process does with it.
OPTIONS = (
    # LLVM ends the process when a stack frame is too large, so it gets a limit that no policy reaches; the
    # instructions that come out are held against the real one.
    "-bpf-stack-size=32000",
    # Two calls that differ in a number become one, as in the default pipeline's last part.
    "-sink-common-insts",
    # Ends that are alike are joined in `machine.shape`, once it is known which registers they use.
    "-enable-tail-merge=false",
)
_OPTIMISATION_LEVEL = 2

_lock = threading.Lock()
_made: dict[Target, Llvm] = {}


def llvm(target: Target) -> Llvm:
    """LLVM for `target`. Raises RuntimeError where LLVM does not know it."""
    with _lock:
        if target not in _made:
            _made[target] = _make(target)
        return _made[target]


def preload(target: Target) -> None:
    """Start to load LLVM for `target` in another thread; half of that time the interpreter is free."""
    threading.Thread(target=llvm, args=(target,), daemon=True).start()


def _make(target: Target) -> Llvm:
    from skverdict.codegen import llvm_library

    if llvm_library.known():
        return llvm_library.Llvm(target.triple, target.cpu, _OPTIMISATION_LEVEL, OPTIONS)
    from skverdict.codegen import llvm_binding

    return llvm_binding.Llvm(target.triple, target.cpu, _OPTIMISATION_LEVEL, OPTIONS)
