"""Running a policy's module as Python, which makes its maps, structures, constants and functions."""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Iterable
from types import CodeType, ModuleType
from typing import Any

from skverdict.dsl import decorators
from skverdict.dsl.errors import Diagnostic, Place, PolicyError
from skverdict.dsl.frontend.sources import Sources, failure, syntax_error

_NAME_PREFIX = "skverdict_policy_"
# Characters of an exception's text that are shown.
MOST_TEXT = 2000


def execute_module(sources: Sources) -> dict[str, Any]:
    """The module's globals after it ran. Raises PolicyError if it raises anything."""
    code = _compile(sources)
    stem = os.path.splitext(os.path.basename(sources.path))[0]
    module = ModuleType(_NAME_PREFIX + stem)
    module.__file__ = sources.path
    folder = os.path.dirname(os.path.abspath(sources.path))
    before = set(sys.modules)
    sys.modules[module.__name__] = module
    sys.path.insert(0, folder)
    wrote_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    decorators.compiling += 1
    try:
        exec(code, module.__dict__)
    except PolicyError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _raised(sources, module, error) from error
    finally:
        decorators.compiling -= 1
        sys.dont_write_bytecode = wrote_bytecode
        if folder in sys.path:
            sys.path.remove(folder)
        _forget_modules(before, folder)
    return module.__dict__


def _compile(sources: Sources) -> CodeType:
    source = sources.main
    try:
        return compile(source.tree, source.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise syntax_error(source.path, "\n".join(source.lines), error) from None
    except (RecursionError, MemoryError):
        raise failure(source.path, "the code is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise failure(source.path, f"cannot be compiled: {error}") from None


def _forget_modules(before: set[str], folder: str) -> None:
    """Modules from the policy's folder are read anew for the next policy, whose folder may be another."""
    # An interpreter may live below the policy's folder, in `.venv` say; what it brings stays.
    installed = [prefix for prefix in (sys.prefix, sys.base_prefix) if _lies_below(prefix, folder)]
    for name in set(sys.modules) - before:
        if name.startswith(_NAME_PREFIX):
            del sys.modules[name]
            continue
        module = sys.modules[name]
        paths = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
        own = name.partition(".")[0] != "skverdict" and any(
            _lies_below(path, folder) and not any(_lies_below(path, prefix) for prefix in installed)
            for path in paths
            if isinstance(path, str)
        )
        if own:
            del sys.modules[name]


def _lies_below(path: str, folder: str) -> bool:
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ""))


def _raised(sources: Sources, module: ModuleType, error: BaseException) -> PolicyError:
    """An exception of the module's own code, told at the innermost line of the policy."""
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and error.filename:
        return _syntax_error_elsewhere(sources, error)
    line = 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == sources.path:
            line = step.tb_lineno
        step = step.tb_next
    if vars(error).get("c_position") is not None:
        return PolicyError([_in_c_text(sources, line, error)])
    return PolicyError([Diagnostic(_place(sources, line), *_message_and_hint(error, vars(module)))])


def _in_c_text(sources: Sources, line: int, error: Any) -> Diagnostic:
    """A mistake in the text given to `c_types`, at its place in the policy where that can be told."""
    c_line, column, text = error.c_position
    for node in ast.walk(sources.main.tree):
        if not isinstance(node, ast.Constant) or node.value != text:
            continue
        number = node.lineno + c_line - 1
        wanted, found = text.split("\n")[c_line - 1], sources.main.line(number)
        start = found.find(wanted)
        if start >= 0 and wanted.strip():
            place = Place(sources.path, number, start + column, 1, found)
            return Diagnostic(place, error.message, error.hint)
    where = f"line {c_line}, column {column} of the C text"
    return Diagnostic(_place(sources, line), f"{where}: {error.message}", error.hint)


def _place(sources: Sources, line: int) -> Place:
    """The line at which the module failed; of a decorator, the function that it was meant for."""
    if not line:
        return Place(sources.path, 0, 1)
    for node in sources.main.tree.body:
        decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
        # Python versions differ in which of these lines they report.
        if decorators and decorators[0].lineno <= line <= node.lineno:
            return sources.main.place(node)
    return sources.main.line_place(line)


def _message_and_hint(error: BaseException, names: Iterable[str]) -> tuple[str, str]:
    from skverdict.dsl.frontend.imports import unknown_name

    message = _text_of(error)[:MOST_TEXT] or type(error).__name__
    if isinstance(error, SystemExit):
        return "the module ends the process", "put such code behind `if __name__ == \"__main__\":`"
    if isinstance(error, ImportError):
        # "cannot import name 'x' from 'y' (path)"
        message, words = message.partition(" (")[0], message.split("'")
        module = sys.modules.get(words[3]) if len(words) > 3 else None
        return message, unknown_name(words[1], dir(module)) if module is not None else ""
    if isinstance(error, NameError) and isinstance(error.name, str) and error.name:
        return f"unknown name `{error.name}`", unknown_name(error.name, [*names, *vars(builtins)])
    if isinstance(error, TypeError):
        return message, ""
    return f"{type(error).__name__}: {message}", ""


def _text_of(error: BaseException) -> str:
    """What an exception says; nothing if it fails even at that."""
    try:
        return str(error)
    except Exception:
        return ""


def _syntax_error_elsewhere(sources: Sources, error: SyntaxError) -> PolicyError:
    assert error.filename is not None
    text, line, column = error.text, error.lineno, error.offset
    place = Place(
        error.filename,
        line if isinstance(line, int) and line > 0 else 1,
        column if isinstance(column, int) and column > 0 else 1,
        1,
        text.rstrip("\n") if isinstance(text, str) else "",
    )
    return PolicyError([Diagnostic(place, f"syntax error: {error.msg}")])
