"""Pieces of code that are alike become one, and all pieces get an order with few jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.code import Branch, Piece, Step
from skverdict.codegen.machine.graph import (
    ALU32,
    ALU64,
    CLASS,
    CODE,
    END,
    JLE,
    JLT,
    JSLE,
    JSLT,
    LDX,
    MIRRORED,
    MOV,
    OPPOSITE,
    REGISTER,
    ST,
    STX,
    WIDE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_FROM_V2 = frozenset((JLT, JLE, JSLT, JSLE))
_CLOBBERED = 0x3F
_ARGUMENTS = 0x3E


def opposite(branch: Branch, has_less: bool) -> Branch | None:
    """The branch that is taken where `branch` is not; None if there is none.

    Without `has_less`, numbers can only be tested for being greater.
    """
    code = branch.opcode & CODE
    other = OPPOSITE.get(code)
    if other is None:
        return None
    opcode = branch.opcode & ~CODE
    if other not in _FROM_V2 or has_less:
        return branch._replace(opcode=opcode | other)
    if branch.opcode & REGISTER and not branch.is_ordered:
        return Branch(opcode | MIRRORED[other], branch.source, branch.target, 0)
    return None


def reachable(first: Piece) -> list[Piece]:
    """Every piece that can be reached, each before what follows it, as far as there are no loops."""
    seen = {first}
    done: list[Piece] = []
    stack = [(first, iter(first.ways))]
    while stack:
        piece, ways = stack[-1]
        for way in ways:
            if way not in seen:
                seen.add(way)
                stack.append((way, iter(way.ways)))
                break
        else:
            done.append(piece)
            stack.pop()
    done.reverse()
    return done


def join(first: Piece) -> Piece:
    """Let pieces share what they have in common; gives the first piece."""
    for _ in range(8):
        first, threaded = _thread(first)
        pieces = reachable(first)
        before = _before(pieces)
        changed = _join_chains(pieces, before, first) or _hoist_common(pieces, before)
        changed = changed or _share_tails(pieces, before) or _hoist_landings(pieces, before)
        if not changed and not threaded:
            break
    return first


def _before(pieces: Iterable[Piece]) -> dict[Piece, list[Piece]]:
    before: dict[Piece, list[Piece]] = {}
    for piece in pieces:
        for way in piece.ways:
            before.setdefault(way, []).append(piece)
    return before


def _thread(first: Piece) -> tuple[Piece, bool]:
    """Skip pieces without steps."""

    def final(piece: Piece) -> Piece:
        seen = set()
        while not piece.steps and piece.branch is None and piece.ways and piece not in seen:
            seen.add(piece)
            piece = piece.ways[0]
        return piece

    changed = False
    for piece in reachable(first):
        for number, way in enumerate(piece.ways):
            target = final(way)
            if target is not way:
                piece.ways[number] = target
                changed = True
        if piece.branch is not None and piece.ways[0] is piece.ways[1]:
            piece.branch = None
            piece.ways.pop()
            changed = True
    return final(first), changed


def _join_chains(pieces: list[Piece], before: dict[Piece, list[Piece]], first: Piece) -> bool:
    """Put a piece and the only one that follows it and nothing else together."""
    changed = False
    gone: set[Piece] = set()
    for piece in pieces:
        if piece in gone:
            continue
        while piece.branch is None and piece.ways:
            way = piece.ways[0]
            if way is piece or way is first or len(before[way]) != 1:
                break
            piece.steps += way.steps
            piece.lines += way.lines
            piece.branch, piece.end_line, piece.ways = way.branch, way.end_line, way.ways
            for each in piece.ways:
                before[each] = [piece if one is way else one for one in before[each]]
            gone.add(way)
            changed = True
    return changed


def effects(step: Step) -> tuple[int, int]:
    """The registers that a step reads and writes, as bit masks."""
    opcode, target, source = step.opcode, 1 << step.target, 1 << step.source
    class_ = opcode & CLASS
    if class_ in (ALU32, ALU64):
        code = opcode & CODE
        reads = source if opcode & REGISTER and code != END else 0
        return reads if code == MOV else reads | target, target
    if class_ == LDX:
        return source, target
    if opcode == WIDE:
        return 0, target
    if class_ == ST:
        return target, 0
    if class_ == STX:
        return target | source, source
    return _ARGUMENTS, _CLOBBERED  # a call


def _read_by(branch: Branch) -> int:
    return 1 << branch.target | (1 << branch.source if branch.opcode & REGISTER else 0)


def _hoist_common(pieces: list[Piece], before: dict[Piece, list[Piece]]) -> bool:
    """What both ways of a branch begin with comes before the branch."""
    changed = False
    for piece in pieces:
        branch = piece.branch
        if branch is None:
            continue
        one, other = piece.ways
        # The first piece has the caller before it, too.
        if pieces[0] in (one, other) or len(before[one]) != 1 or len(before[other]) != 1:
            continue
        while one.steps and other.steps and one.steps[0] == other.steps[0]:
            if effects(one.steps[0])[1] & _read_by(branch):
                break
            piece.add(one.steps.pop(0), one.lines.pop(0))
            del other.steps[0], other.lines[0]
            changed = True
    return changed


def _size(steps: Iterable[Step]) -> int:
    return sum(2 if step.opcode == WIDE else 1 for step in steps)


def _share_tails(pieces: list[Piece], before: dict[Piece, list[Piece]]) -> bool:
    """Let two pieces that go on at the same place, or both leave, share the steps they end with."""
    groups: dict[tuple[Piece | None, Step], list[Piece]] = {}
    for piece in pieces:
        if piece.branch is None and piece.steps:
            key = (piece.ways[0] if piece.ways else None), piece.steps[-1]
            groups.setdefault(key, []).append(piece)
    best: tuple[int, Piece, Piece, int] | None = None
    for group in groups.values():
        for number, one in enumerate(group):
            for other in group[number + 1 :]:
                common = _common_tail(one, other)
                saved = _size(one.steps[len(one.steps) - common :])
                if best is None or saved > best[0]:
                    best = saved, one, other, common
    if best is None:
        return False
    _, one, other, common = best
    whole = one if len(one.steps) == common else other if len(other.steps) == common else None
    if whole is not None:
        rest = other if whole is one else one
        _cut(rest, common, whole)
        return True
    tail = Piece()
    tail.steps, tail.lines = one.steps[-common:], one.lines[-common:]
    tail.ways, tail.end_line = one.ways, one.end_line
    for piece in (one, other):
        _cut(piece, common, tail)
    return True


def _common_tail(one: Piece, other: Piece) -> int:
    common = 0
    while (
        common < min(len(one.steps), len(other.steps))
        and one.steps[-1 - common] == other.steps[-1 - common]
    ):
        common += 1
    return common


def _cut(piece: Piece, count: int, then: Piece) -> None:
    """Go on at `then` in place of the last `count` steps."""
    piece.end_line = piece.lines[-count]
    del piece.steps[-count:], piece.lines[-count:]
    piece.ways = [then]


def _hoist_landings(pieces: list[Piece], before: dict[Piece, list[Piece]]) -> bool:
    """Do before a branch what only one of its ways does, if the other does not mind.

    It saves the jump that would have to follow. Several branches share it if one comes after the other.
    """
    live: dict[Piece, int] | None = None
    for landing in pieces[1:]:
        if landing.branch is not None or not landing.ways or not landing.steps:
            continue
        if not all(_is_plain(step) for step in landing.steps):
            continue
        target = landing.ways[0]
        if len(before[target]) < 2 or target is landing:
            continue
        if live is None:
            live = _live_registers(pieces)
        writes = 0
        for step in landing.steps:
            writes |= effects(step)[1]
        if any(effects(step)[0] & ~_written_before(landing.steps, step) for step in landing.steps):
            continue
        chain = _chain(landing, before)
        if chain is None:
            continue
        if not all(_lets(piece, landing, writes, live, place) for place, piece in enumerate(chain)):
            continue
        first = chain[0]
        first.steps += landing.steps
        first.lines += landing.lines
        for piece in chain:
            piece.ways = [target if way is landing else way for way in piece.ways]
        return True
    return False


def _written_before(steps: list[Step], last: Step) -> int:
    """The registers that the steps before `last` set."""
    written = 0
    for step in steps:
        if step is last:
            break
        written |= effects(step)[1]
    return written


def _chain(landing: Piece, before: dict[Piece, list[Piece]]) -> list[Piece] | None:
    """The branches that lead to `landing`, in order, if each leads to the next and nothing else does."""
    leading = before[landing]
    if len(set(leading)) != len(leading) or any(piece.branch is None for piece in leading):
        return None
    following = {}
    for piece in leading:
        one, other = piece.ways
        following[piece] = other if one is landing else one
    firsts = [piece for piece in leading if piece not in following.values()]
    if len(firsts) != 1:
        return None
    chain = [firsts[0]]
    while len(chain) < len(leading):
        piece = following[chain[-1]]
        if piece not in following or before[piece] != [chain[-1]]:
            return None
        chain.append(piece)
    return chain


def _lets(piece: Piece, landing: Piece, writes: int, live: dict[Piece, int], place: int) -> bool:
    """True if the piece, and where else it goes, minds no change of the registers `writes`.

    The first piece of a chain (place 0) has the change behind its steps, the others before.
    """
    assert piece.branch is not None
    if _read_by(piece.branch) & writes:
        return False
    if place:
        for step in piece.steps:
            if (effects(step)[0] | effects(step)[1]) & writes:
                return False
    one, other = piece.ways
    return not live[other if one is landing else one] & writes


def _is_plain(step: Step) -> bool:
    """True for what only moves or makes numbers."""
    return step.opcode == WIDE or step.opcode & CLASS in (ALU32, ALU64)


def _live_registers(pieces: list[Piece]) -> dict[Piece, int]:
    """The registers that are read in a piece or after it before they are set, as bit masks."""
    live = dict.fromkeys(pieces, 0)
    changed = True
    while changed:
        changed = False
        for piece in reversed(pieces):
            alive = 0 if piece.ways else 1
            for way in piece.ways:
                alive |= live[way]
            if piece.branch is not None:
                alive |= _read_by(piece.branch)
            for step in reversed(piece.steps):
                reads, writes = effects(step)
                if step.opcode & CLASS == STX:
                    writes = 0
                alive = alive & ~writes | reads
            if alive != live[piece]:
                live[piece] = alive
                changed = True
    return live


class Line:
    """A piece in its place: `jump` is where it goes if not on to the next one."""

    __slots__ = ("branch", "jump", "piece", "taken")

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.branch: Branch | None = None
        self.taken: Piece | None = None
        self.jump: Piece | None = None


def arrange(first: Piece, has_less: bool) -> list[Line]:
    """The pieces in an order in which most are followed by what they go on to.

    No loop is closed by running on into its beginning: Linux 6.1 takes only jumps for that (`check_cfg`).
    """
    pieces = reachable(first)
    places = {piece: place for place, piece in enumerate(pieces)}
    follower: dict[Piece, Piece] = {}
    leader: dict[Piece, Piece] = {}

    def start_of(piece: Piece) -> Piece:
        while piece in leader:
            piece = leader[piece]
        return piece

    def link(piece: Piece, way: Piece) -> bool:
        if way is first or way in leader or piece in follower or start_of(piece) is way:
            return False
        if piece.branch is None and places[way] <= places[piece]:
            return False
        follower[piece] = way
        leader[way] = piece
        return True

    # A piece without a branch needs a jump if its one way does not follow; a branch has two to choose from.
    for piece in pieces:
        if piece.branch is None and piece.ways and not _leaves(piece.ways[0]):
            link(piece, piece.ways[0])
    for piece in pieces:
        if piece.branch is not None:
            taken, straight = piece.ways
            flipped = opposite(piece.branch, has_less)
            link(piece, straight) or (flipped is not None and link(piece, taken))
    for piece in pieces:
        if piece.branch is None and piece.ways:
            link(piece, piece.ways[0])
    ordered: list[Piece] = []
    for piece in pieces:
        if piece not in leader:
            while True:
                ordered.append(piece)
                if piece not in follower:
                    break
                piece = follower[piece]
    lines = [Line(piece) for piece in ordered]
    for line, following in zip(lines, [*ordered[1:], None], strict=True):
        _connect(line, following, has_less)
    return lines


def _leaves(piece: Piece) -> bool:
    """True for a piece that is an exit and nothing else, of which each jump to it may have its own."""
    return not piece.steps and not piece.ways and piece.branch is None


def _connect(line: Line, following: Piece | None, has_less: bool) -> None:
    piece = line.piece
    if piece.branch is None:
        if piece.ways and piece.ways[0] is not following:
            line.jump = piece.ways[0]
        return
    taken, straight = piece.ways
    line.branch, line.taken = piece.branch, taken
    if straight is following:
        return
    flipped = opposite(piece.branch, has_less)
    if taken is following and flipped is not None:
        line.branch, line.taken = flipped, straight
    else:
        line.jump = straight

