"""Warnings about what a policy does as a whole, found in its IR: what kernels do wrong, or only once.

All of it was seen on Linux 6.1, 6.12 and 7.2; `docs/kernel-differences.md` tells more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from skverdict.dsl.frontend.traps import find_traps
from skverdict.dsl.ir.module import Block, Function, Location, Operation, Value

if TYPE_CHECKING:
    from skverdict.dsl.frontend.scope import PolicyScope

SK_PASS = 1
REDIRECTS = ("bpf_sk_redirect_map", "bpf_sk_redirect_hash")
# What tells a program whether there are bytes: these fail where there are none.
_LOOKS = ("bpf_skb_load_bytes", "bpf_skb_pull_data")

Functions = Mapping[str, Function]
# True for an edge, by its block and the number of the successor, on which something is known.
EdgeFact = Callable[[Block, int], bool]


def advise(scope: PolicyScope, functions: Sequence[Function]) -> None:
    """Report what deserves a look."""
    find_traps(scope, functions)
    named = {function.name: function for function in functions}
    parsers = [function for function in functions if function.kind == "stream_parser"]
    for function in functions:
        if function.name in scope.framed:
            continue
        if function.kind == "stream_parser":
            _redirect_in_parser(scope, function, named)
        elif function.kind == "stream_verdict" and parsers:
            _late_delivery(scope, Flow(function, named), parsers[0])
        elif function.kind in ("stream_verdict", "skb_verdict"):
            _empty_redirect(scope, Flow(function, named))
        elif function.kind == "msg_verdict":
            _cork_and_apply(scope, function, named)


def _late_delivery(scope: PolicyScope, flow: Flow, parser: Function) -> None:
    """A verdict behind a parser that passes messages to its own socket."""
    harmless = flow.surely(lambda operation: flow.calls(operation, REDIRECTS), flow.is_empty_there)
    for block in flow.function.blocks:
        last = block.operations[-1]
        if last.name != "return" or not last.operands:
            continue
        if not harmless(block, last) and flow.may_be(last.operands[0], SK_PASS):
            assert last.location is not None and parser.location is not None
            scope.reporter.warning(
                scope.sources.place(last.location),
                f"`{flow.function.name}` may pass messages on to its own socket behind the parser "
                f"`{parser.name}`: once the application was slow to read, Linux 6.1, 6.12 and 7.2 deliver "
                "what arrives next late, or never",
                "redirect or drop, or leave out the parser and follow the messages in the verdict",
                [(scope.sources.place(parser.location), "the parser is here")],
            )
            return


def _empty_redirect(scope: PolicyScope, flow: Flow) -> None:
    """A redirect of what may be the empty buffer at the end of a stream."""
    looked = flow.surely(lambda operation: False, flow.has_looked)
    for block in flow.function.blocks:
        for operation in block.operations:
            if flow.calls(operation, REDIRECTS) and not looked(block, operation):
                assert operation.location is not None
                scope.reporter.warning(
                    scope.sources.place(operation.location),
                    "this may redirect an empty buffer: without a parser, a verdict also runs with `len` 0 "
                    "at the end of the stream, and redirecting that breaks the target socket",
                    "first write `if skb.len == 0: return SK_PASS`",
                )
                return


def _redirect_in_parser(scope: PolicyScope, function: Function, named: Functions) -> None:
    """A redirect that the kernel forgets before it runs the verdict (`sk_psock_strp_read` in net/core/skmsg.c)."""
    for helper in REDIRECTS:
        place = _call_of(function, named, helper)
        if place is not None:
            scope.reporter.warning(
                scope.sources.place(place),
                "a parser redirects nothing: what it returns is the length of the message, and the kernel forgets the "
                "redirect before the verdict runs",
                "redirect in a @stream_verdict, and return the number of bytes here, such as `skb.len`",
            )


def _cork_and_apply(scope: PolicyScope, function: Function, named: Functions) -> None:
    """Both in one program: what an apply has left over must not be corked."""
    apply = _call_of(function, named, "bpf_msg_apply_bytes")
    cork = _call_of(function, named, "bpf_msg_cork_bytes")
    if apply is not None and cork is not None:
        scope.reporter.warning(
            scope.sources.place(cork),
            "`bpf_msg_cork_bytes` in a program that also calls `bpf_msg_apply_bytes`: where it corks what an "
            "apply has left over, the peer gets fewer bytes than were sent, or wrong ones",
            "use one of them, or let the apply cover exactly what was corked",
            [(scope.sources.place(apply), "bytes are applied here")],
        )


def _call_of(function: Function, named: Functions, helper: str) -> Location | None:
    """Where a function, or one that it calls, calls a helper."""
    return next(
        (
            operation.location
            for one in _with_called(function, named)
            for operation in _operations(one)
            if operation.attributes.get("helper") == helper
        ),
        None,
    )


def _operations(function: Function) -> Iterator[Operation]:
    for block in function.blocks:
        yield from block.operations


def _with_called(function: Function, named: Functions) -> Iterator[Function]:
    """A function and the subprograms that it calls, directly or not."""
    seen: dict[str, Function] = {}
    waiting = [function]
    while waiting:
        one = waiting.pop()
        if one.name in seen:
            continue
        seen[one.name] = one
        yield one
        callees = (operation.attributes.get("function") for operation in _operations(one))
        waiting += [named[str(name)] for name in callees if name in named]


class Flow:
    """One function: what its values come from, and what surely happened where."""

    def __init__(self, function: Function, named: Functions) -> None:
        self.function = function
        self._named = named
        self._makers = {
            operation.result.number: operation
            for operation in _operations(function)
            if operation.result is not None
        }
        self._writes: dict[str, list[Value]] = {}
        for operation in _operations(function):
            if operation.name == "local.set":
                local = str(operation.attributes["local"])
                self._writes.setdefault(local, []).append(operation.operands[0])

    def calls(self, operation: Operation, helpers: Sequence[str]) -> bool:
        """True for a call of one of `helpers`, or of a subprogram that has one."""
        if operation.name == "call.helper":
            return operation.attributes["helper"] in helpers
        if operation.name != "call":
            return False
        callee = self._named.get(str(operation.attributes["function"]))
        return callee is not None and any(
            inner.attributes.get("helper") in helpers
            for one in _with_called(callee, self._named)
            for inner in _operations(one)
        )

    # Where values come from.

    def _sources(self, operation: Operation) -> Sequence[Value]:
        if operation.name == "local.get":
            return self._writes.get(str(operation.attributes["local"]), ())
        return operation.operands

    def may_be(self, value: Value, number: int) -> bool:
        """True if a value may be a number, other than as the result of a redirect."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            maker = self._makers.get(waiting.pop().number)
            if maker is None:
                return True
            assert maker.result is not None
            if maker.result.number in seen:
                continue
            seen.add(maker.result.number)
            if maker.name == "const":
                if maker.attributes["value"] == number:
                    return True
            elif maker.name in ("convert", "local.get"):
                waiting += self._sources(maker)
            elif maker.name == "select":
                waiting += maker.operands[1:]
            elif not self.calls(maker, REDIRECTS):
                return True
        return False

    def _depends(self, value: Value, wanted: Callable[[Operation], bool]) -> bool:
        """True if what makes a value is, at any distance, a wanted operation."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            current = waiting.pop()
            maker = self._makers.get(current.number)
            if maker is None or current.number in seen:
                continue
            seen.add(current.number)
            if wanted(maker):
                return True
            waiting += self._sources(maker)
        return False

    # What is known on an edge.

    def has_looked(self, block: Block, successor: int) -> bool:
        """True where a branch depends on whether there are bytes, and for a view only where it is one."""
        branch = block.operations[-1]
        if branch.name not in ("branch", "switch"):
            return False
        test, is_negated = self._makers.get(branch.operands[0].number), False
        while test is not None and test.name == "not":
            test, is_negated = self._makers.get(test.operands[0].number), not is_negated
        if test is not None and test.name == "is_null":
            maker = self._makers.get(test.operands[0].number)
            if maker is not None and maker.name == "packet.view":
                return successor == (0 if is_negated else 1)
        return self._depends(branch.operands[0], _tells_of_bytes)

    def is_empty_there(self, block: Block, successor: int) -> bool:
        """True on the way that is taken where `len` is 0."""
        branch = block.operations[-1]
        test = self._makers.get(branch.operands[0].number) if branch.name == "branch" else None
        if test is None or test.name not in ("eq", "ne"):
            return False
        makers = [self._makers.get(operand.number) for operand in test.operands]
        reads = any(one is not None and one.attributes.get("field") == "len" for one in makers)
        is_zero = any(one is not None and one.attributes.get("value") == 0 for one in makers)
        return reads and is_zero and successor == (0 if test.name == "eq" else 1)

    # What surely happened.

    def surely(
        self, happens: Callable[[Operation], bool], on_edge: EdgeFact
    ) -> Callable[[Block, Operation], bool]:
        """A test of whether, on every way to an operation, something happened or is known."""
        blocks = {block.label: block for block in self.function.blocks}
        first = self.function.blocks[0].label
        # Assumed everywhere but at the start, until a way is found on which it does not hold.
        entered = {label: label != first for label in blocks}
        waiting = list(blocks.values())
        while waiting:
            block = waiting.pop()
            left = entered[block.label] or any(happens(operation) for operation in block.operations)
            for number, label in enumerate(block.operations[-1].successors):
                if entered[label] and not (left or on_edge(block, number)):
                    entered[label] = False
                    waiting.append(blocks[label])

        def holds(block: Block, operation: Operation) -> bool:
            if entered[block.label]:
                return True
            for each in block.operations:
                if each is operation:
                    break
                if happens(each):
                    return True
            return False

        return holds


def _tells_of_bytes(operation: Operation) -> bool:
    """True for what a program can know the length from."""
    return (
        operation.attributes.get("field") == "len"
        or operation.name == "packet.view"
        or operation.attributes.get("helper") in _LOOKS
    )
