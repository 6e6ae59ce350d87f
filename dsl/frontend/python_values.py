"""What a Python object of the policy's module stands for inside a program."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from skverdict.dsl.frontend.declarations import check_struct
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.values import (
    NONE,
    GlobalValue,
    MapValue,
    Operand,
    PythonValue,
    Scalar,
    TypeValue,
    constant,
    truth,
)
from skverdict.dsl.globals import Global as DeclaredGlobal
from skverdict.dsl.ir.types import BigEndian, Int
from skverdict.dsl.layout import LayoutError, type_of
from skverdict.dsl.maps import Map
from skverdict.dsl.scalars import BigEndian as BigEndianNumber
from skverdict.dsl.scalars import Integer
from skverdict.dsl.structs import ArrayOf, is_of_kernel, is_struct_class

if TYPE_CHECKING:
    from skverdict.dsl.frontend.scope import PolicyScope


def operand_of(scope: PolicyScope, name: str, thing: object) -> Operand:
    """The operand for `thing`, which the policy calls `name`.

    What has no meaning in a program becomes a PythonValue, whose use is then refused where it happens.
    Raises Refused for a structure whose declaration is wrong, which is reported.
    """
    if isinstance(thing, bool):
        return truth(thing)
    if isinstance(thing, Integer):
        return Scalar(Int(thing.BITS, thing.SIGNED), constant=int(thing))
    if isinstance(thing, Enum):
        # Only those that are numbers: of any other kind, the use is refused.
        if isinstance(thing, int):
            return Scalar(None, constant=int(thing), name=f"{type(thing).__name__}.{thing.name}")
        return PythonValue(name, thing)
    if isinstance(thing, int):
        return constant(int(thing))
    if isinstance(thing, BigEndianNumber):
        return Scalar(BigEndian(thing.BITS), constant=thing.host())
    if isinstance(thing, Map):
        declared = scope.map_named(name, thing)
        return PythonValue(name, thing) if declared is None else MapValue(declared)
    if isinstance(thing, DeclaredGlobal):
        variable = scope.global_named(name, thing)
        return PythonValue(name, thing) if variable is None else GlobalValue(variable)
    if thing is None:
        return NONE
    if is_of_kernel(thing):
        # Its name is for annotations; whoever makes one is told that.
        return PythonValue(name, thing)
    if isinstance(thing, ArrayOf) or thing is bool or is_type(thing):
        try:
            return TypeValue(type_of(thing))
        except LayoutError as error:
            if not is_struct_class(thing):
                return PythonValue(name, thing)
            check_struct(scope, thing)
            raise Refused(None) from error
    return PythonValue(name, thing)


def is_type(thing: object) -> bool:
    """True for the scalar and structure classes of the policy language."""
    return isinstance(thing, type) and (
        is_struct_class(thing) or (issubclass(thing, (Integer, BigEndianNumber)) and thing.BITS != 0)
    )
