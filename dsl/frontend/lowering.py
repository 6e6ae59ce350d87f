"""One program being lowered: the IR function that grows, the point reached in it, and what is known there."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from skverdict.dsl.errors import Diagnostic, Place
from skverdict.dsl.frontend.annotations import Annotation
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.state import Binding, Edge, State, merge
from skverdict.dsl.frontend.values import START, Epoch, Reference, Scalar
from skverdict.dsl.ir.module import Attribute, Block, Function, Local, Operation, Value
from skverdict.dsl.ir.types import Type

if TYPE_CHECKING:
    from types import FunctionType

    from skverdict.dsl.frontend.locking import Locked
    from skverdict.dsl.frontend.scope import PolicyScope
    from skverdict.dsl.frontend.source import FunctionNode, Source


# Pieces of code that a policy may be written out in: inline calls and turns of loops.
MOST_PIECES = 20_000


class Label:
    """A place to jump to. The states of all jumps meet where it is entered."""

    __slots__ = ("block", "edges", "epoch")

    def __init__(self, name: str, epoch: Epoch) -> None:
        self.block = Block(name)
        self.edges: list[Edge] = []
        self.epoch = epoch


class Loop:
    """The innermost loop around a statement; `locks` counts the `with` blocks around the loop."""

    __slots__ = ("again", "end", "locks")

    def __init__(self, again: Label, end: Label, locks: int = 0) -> None:
        self.again = again
        self.end = end
        self.locks = locks


class Frame:
    """One expansion of one function: the program itself, or an inline function at one call."""

    __slots__ = (
        "assigned",
        "call",
        "declared",
        "end",
        "first_literals",
        "function",
        "gives_length",
        "gives_none",
        "locals",
        "locks",
        "loop",
        "may_return",
        "node",
        "nothing",
        "outer",
        "owned",
        "path",
        "result",
        "returns",
        "shape",
        "source",
    )

    def __init__(
        self,
        function: FunctionType,
        node: FunctionNode,
        source: Source,
        assigned: dict[str, int],
        outer: Frame | None = None,
        call: ast.AST | None = None,
        number: int = 0,
    ) -> None:
        self.function = function
        self.node = node
        self.source = source
        # How often each name of the function is assigned, parameters included.
        self.assigned = assigned
        self.outer = outer
        self.call = call
        self.path: tuple[int, ...] = (*outer.path, number) if outer else ()
        self.locals: dict[str, Local] = {}
        self.declared: dict[str, Type] = {}
        # Variables that are an i64 because they begin with a literal, and how to write another type for each.
        self.first_literals: dict[str, str] = {}
        # Locals that hold the structures made here, which nobody outside can refer to.
        self.owned: set[str] = set()
        # The local that takes the structure to give back, where several `return` statements give one.
        self.result: str | None = None
        self.loop: Loop | None = None
        # The `with` blocks around a statement that hold a lock, the outermost first.
        self.locks: list[Locked] = []
        # True once a statement with a mistake in it was left out that has a `return` inside.
        self.may_return = False
        # Where `return` goes; None in a program, which returns for good.
        self.end: Label | None = None
        # What the function gives back, from its annotation.
        self.returns = Annotation()
        # True for a function that has places in memory to give, and a `return None`; where that goes; and what is
        # known of the places.
        self.gives_none = False
        self.nothing: Label | None = None
        self.shape: Reference | None = None
        # True for a function whose result is the length of a message.
        self.gives_length = False

    def chain(self) -> list[Frame]:
        """This expansion and those around it, innermost first."""
        frames = [self]
        while frames[-1].outer is not None:
            frames.append(frames[-1].outer)
        return frames


class Mark:
    """How far a function had been built."""

    __slots__ = (
        "block",
        "blocks",
        "declared",
        "failures",
        "labels",
        "local_names",
        "locals",
        "numbers",
        "operations",
        "owned",
        "reported",
        "result",
        "returns",
        "scratch",
        "variables",
    )

    def __init__(self, lowering: Lowering) -> None:
        frame = lowering.frame
        self.block = lowering.block
        self.blocks = len(lowering.function.blocks)
        self.operations = len(lowering.block.operations)
        self.locals = len(lowering.function.locals)
        self.numbers = lowering._numbers
        self.labels = dict(lowering._labels)
        self.local_names = dict(lowering._local_names)
        self.scratch = dict(lowering._scratch)
        self.variables = dict(frame.locals)
        self.declared = dict(frame.declared)
        self.owned = set(frame.owned)
        self.result = frame.result
        self.returns = len(frame.end.edges) if frame.end else 0
        self.failures = lowering.failures
        self.reported = len(lowering._reported)


# Expressions that bind less closely than a dot, and perhaps less than an operator.
_COMPOUND = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.NamedExpr, ast.UnaryOp)


class Lowering:
    """The function that is being built.

    `kind` is that of the program that it belongs to, which decides what it may do; a subprogram is looked at
    once for each kind that calls it. `callers` are notes for messages that tell how it comes to be called.
    """

    def __init__(
        self,
        scope: PolicyScope,
        function: Function,
        frame: Frame,
        kind: str = "",
        callers: tuple[tuple[Place, str], ...] = (),
    ) -> None:
        self.scope = scope
        self.function = function
        self.kind = kind or function.kind
        self.callers = callers
        # True for what a helper calls back, and for what that calls.
        self.callback = False
        # The call, here or in a subprogram, that may move the packet; empty if there is none.
        self.moves = ""
        # The smallest and the largest number that is returned.
        self.returned: tuple[int, int] | None = None
        self.frame = frame
        self.block = Block("entry")
        self.state: State | None = State({}, START)
        # How many `return` statements were reached.
        self.exits = 0
        # How many mistakes were reported.
        self.failures = 0
        self._reported: list[Diagnostic] = []
        # The call whose result the statement at hand throws away.
        self.discarded: ast.AST | None = None
        # The name that a structure made next should have in the IR.
        self.name_hint: str | None = None
        # Which turns of unrolled loops this is: the same place is another point in each.
        self.turns: tuple[int, ...] = ()
        # How far into the packet the conjunction that is being decided looks in any case.
        self.reach = 0
        function.blocks.append(self.block)
        self._numbers = len(function.parameters)
        self._labels: dict[str, int] = {}
        self._local_names: dict[str, int] = {}
        self._scratch: dict[tuple[str, Type], str] = {}

    # Operations.

    def emit(
        self, node: ast.AST, name: str, operands: tuple[Value, ...], type_: Type, /, **attributes: Attribute
    ) -> Value:
        """Append an operation with a result."""
        result = Value(self._numbers, type_)
        self._numbers += 1
        location = self.frame.source.location(node)
        self.block.operations.append(Operation(name, operands, attributes, result, (), location))
        return result

    def effect(
        self, node: ast.AST, name: str, operands: tuple[Value, ...], /, **attributes: Attribute
    ) -> None:
        """Append an operation that gives nothing."""
        location = self.frame.source.location(node)
        self.block.operations.append(Operation(name, operands, attributes, None, (), location))

    def value(self, node: ast.AST, scalar: Scalar) -> Value:
        """The IR value of a typed scalar; a constant is made where it is used."""
        if scalar.value is not None:
            return scalar.value
        assert scalar.type is not None and scalar.constant is not None
        return self.emit(node, "const", (), scalar.type, value=scalar.constant)

    def new_local(self, name: str, type_: Type) -> str:
        """A new local whose name is `name`, or that and a number."""
        count = self._local_names.get(name, 0)
        self._local_names[name] = count + 1
        unique = f"{name}.{count}" if count else name
        self.function.locals.append(Local(unique, type_))
        return unique

    def spend(self, node: ast.AST, what: str, hint: str) -> None:
        """Count one more piece of code that is written out: an inline call, or a loop's turn.

        Raises Refused when there are so many that the program could not be compiled in any useful time.
        """
        self.scope.spent += 1
        if self.scope.spent > MOST_PIECES:
            raise self.refuse(node, f"{what}, and all of it would be more than {MOST_PIECES} pieces", hint)

    def scratch(self, name: str, type_: Type) -> str:
        """A local for a value that is used up by the next call; all such calls share it."""
        local = self._scratch.get((name, type_))
        if local is None:
            local = self._scratch[name, type_] = self.new_local(name, type_)
        return local

    def take_name(self, default: str) -> str:
        """The name for a structure that is made now."""
        name, self.name_hint = self.name_hint or default, None
        return name

    def local(self, name: str, type_: Type) -> Local:
        """A new local that holds the variable `name` of the function being expanded."""
        local = self.frame.locals[name] = Local(self.new_local(name, type_), type_)
        return local

    def point(self, node: ast.AST) -> tuple[int, ...]:
        """What tells this point of the program from all others: place, calls and turns that lead to it."""
        line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        return (line, column, *self.frame.path, *self.turns)

    # Control flow.

    @property
    def here(self) -> State:
        """The state at a point that is reached."""
        assert self.state is not None
        return self.state

    def label(self, node: ast.AST, name: str) -> Label:
        count = self._labels.get(name, 0)
        self._labels[name] = count + 1
        where = (name, *self.point(node))
        return Label(f"{name}.{count}" if count else name, Epoch(None, "", where))

    def jump(self, node: ast.AST, label: Label, why: str = "") -> None:
        """Go on at `label`. `why` tells, for messages, when this way is taken."""
        self._end(node, "jump", (), (label.block.label,))
        label.edges.append(Edge(self.here, self.place(node), why))
        self.state = None

    def branch(
        self,
        node: ast.AST,
        condition: Value,
        yes: Label,
        no: Label,
        yes_state: State | None = None,
        no_state: State | None = None,
    ) -> None:
        """Go on at `yes` or `no`; the states default to the present one."""
        self._end(node, "branch", (condition,), (yes.block.label, no.block.label))
        line = getattr(node, "lineno", 0)
        place = self.place(node)
        yes.edges.append(Edge(yes_state or self.here, place, f"when the test on line {line} is true"))
        no.edges.append(Edge(no_state or self.here, place, f"when the test on line {line} is false"))
        self.state = None

    def leave(self, node: ast.AST, values: tuple[Value, ...]) -> None:
        """Return from the program."""
        self._end(node, "return", values, ())
        self.state = None

    def _end(
        self, node: ast.AST, name: str, operands: tuple[Value, ...], successors: tuple[str, ...]
    ) -> None:
        location = self.frame.source.location(node)
        self.block.operations.append(Operation(name, operands, {}, None, successors, location))

    def enter(self, label: Label) -> bool:
        """Continue at `label`; False (and nothing is reached) if nobody jumps there."""
        if not label.edges:
            self.state = None
            return False
        self.function.blocks.append(label.block)
        self.block = label.block
        self.state = merge(label.edges, label.epoch)
        return True

    # Trying a stretch of code again.

    def mark(self) -> Mark:
        """All that `undo` needs to take back what is emitted from here on."""
        return Mark(self)

    def undo(self, mark: Mark) -> None:
        """Take back what was emitted since `mark`; what was reported stays."""
        frame = self.frame
        del self.function.blocks[mark.blocks :]
        self.block = mark.block
        del self.block.operations[mark.operations :]
        del self.function.locals[mark.locals :]
        self._numbers = mark.numbers
        self._labels = dict(mark.labels)
        self._local_names = dict(mark.local_names)
        self._scratch = dict(mark.scratch)
        frame.locals, frame.declared = dict(mark.variables), dict(mark.declared)
        frame.owned, frame.result = set(mark.owned), mark.result
        if frame.end:
            del frame.end.edges[mark.returns :]

    def take_back(self, mark: Mark) -> None:
        """Take back what was reported since `mark`: more is known about the same code now."""
        self.failures = mark.failures
        for diagnostic in self._reported[mark.reported :]:
            self.scope.reporter.take_back(diagnostic)
        del self._reported[mark.reported :]

    # Names.

    def bind(self, name: str, binding: Binding) -> None:
        self.here.names[name] = binding

    def move_buffer(self, node: ast.AST, call: str) -> None:
        """The packet may lie elsewhere from here on."""
        where = (call, *self.point(node))
        self.here.epoch = Epoch(self.place(node), call, where)
        self.moves = call

    # Messages.

    def place(self, node: ast.AST) -> Place:
        return self.frame.source.place(node)

    def refuse(
        self, node: ast.AST, message: str, hint: str = "", notes: Iterable[tuple[Place, str]] = ()
    ) -> Refused:
        """The exception to raise for a mistake at `node`; inside an inline function it tells who called."""
        calls = [
            (frame.outer.source.place(frame.call), f"`{frame.node.name}` is called here")
            for frame in self.frame.chain()
            if frame.outer is not None and frame.call is not None and not frame.outer.source.is_own
        ]
        return Refused(Diagnostic(self.place(node), message, hint, (*notes, *calls, *self.callers)))

    def report(self, refused: Refused) -> None:
        self.failures += 1
        if refused.diagnostic is not None and self.scope.reporter.add(refused.diagnostic):
            self._reported.append(refused.diagnostic)

    def segment(self, node: ast.AST) -> str:
        return self.frame.source.segment(node)

    def operand(self, node: ast.AST) -> str:
        """An expression as it is written beside an operator or in front of a dot: in brackets, if it needs them."""
        text = self.segment(node)
        return f"({text})" if isinstance(node, _COMPOUND) else text
