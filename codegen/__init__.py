"""Compile a policy to a BPF object, and read such objects back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skverdict.codegen.errors import CodegenError
from skverdict.codegen.object_error import ObjectError
from skverdict.codegen.target import Target

if TYPE_CHECKING:
    from skverdict.codegen.object import Object
    from skverdict.codegen.object_builder import build
    from skverdict.codegen.object_reader import read_object

__all__ = ["CodegenError", "Object", "ObjectError", "Target", "build", "read_object"]

# Imported when first asked for, so that building does not pay for reading, nor reading for building.
_LATE = {"build": "object_builder", "read_object": "object_reader", "Object": "object"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
