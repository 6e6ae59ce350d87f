"""What coverage of policies records, held against Python running the very same functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator
from skverdict.runtime.coverage.recorder import Recorder
from skverdict.runtime.watching import watched_by

HEAD = """from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkSkb, SockMap, i32, inline, stream_verdict, subprogram
from skverdict.dsl import u32

sockets = SockMap(max_entries=2)
DEBUG = False
"""

BODIES = {
    "if": """
    if skb.len > 4:
        return SK_DROP
    return SK_PASS
""",
    "elif": """
    if skb.len > 9:
        found = 1
    elif skb.len > 4:
        found = 2
    else:
        found = 3
    return SK_PASS if found == 2 else SK_DROP
""",
    "docstring and pass": '''
    """Says what it does."""
    if skb.len > 4:
        pass
    return SK_PASS
''',
    "conditions over lines": """
    if (
        skb.len > 2
        and skb.len < 5
    ):
        return SK_DROP
    return SK_PASS
""",
    "for": """
    total: u32 = 0
    for i in range(min(skb.len, 8)):
        if i == 3:
            continue
        if i == 6:
            break
        total += i
    else:
        total = 100
    return SK_PASS if total > 9 else SK_DROP
""",
    "while": """
    left: u32 = min(skb.len, 20)
    while left > 4:
        left -= 4
        if left == 5:
            break
    return SK_PASS if left == 1 else SK_DROP
""",
    "endless": """
    left: u32 = min(skb.len, 20)
    while True:
        if left < 4:
            return SK_DROP
        left -= 4
""",
    "match": """
    match skb.len:
        case 1:
            return SK_DROP
        case 3 | 5:
            pass
        case length if length > 8:
            return SK_PASS
        case _:
            return SK_DROP
    return SK_PASS
""",
    "inline": """
    if twice(skb.len) > 8:
        return SK_DROP
    return SK_PASS
""",
    "inline twice": """
    if twice(skb.len) > twice(twice(3)):
        return SK_DROP
    return SK_PASS
""",
    "subprogram": """
    if halved(skb.len) > 2:
        return SK_DROP
    return SK_PASS
""",
    "constant test": """
    found: u32 = 1
    if DEBUG:
        found = 2
    return SK_PASS if found > skb.len else SK_DROP
""",
}
FUNCTIONS = """

@inline
def twice(number: u32) -> u32:
    if number > 5:
        return number
    return number * 2


@subprogram
def halved(number: u32) -> u32:
    if number > 5:
        return number // 2
    return number


@stream_verdict
def verdict(skb: SkSkb) -> i32:
"""
LENGTHS = (1, 3, 4, 5, 7, 9, 12)


def policy_file(folder: Path, body: str) -> Path:
    path = folder / "policy.py"
    path.write_text(HEAD + FUNCTIONS + body.lstrip("\n"))
    return path


def recorded(path: Path, lengths: tuple[int, ...]) -> set[tuple[int, int]]:
    """The arcs that runs on buffers of these lengths leave."""
    recorder = Recorder()
    policy = load_policy(path)
    with watched_by(recorder):
        simulator = Simulator(policy)
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    for length in lengths:
        client.send(bytes(length))
    return recorder.arcs.get(str(path), set())


def traced(path: Path, lengths: tuple[int, ...]) -> set[tuple[int, int]]:
    """The arcs that Python's own tracing sees, the functions being run as what they look like."""
    plain = {"inline": _same, "subprogram": _same, "stream_verdict": _same, "u32": int, "i32": int}
    plain |= {"SK_DROP": 0, "SK_PASS": 1, "SkSkb": object, "DEBUG": False}
    text = path.read_text()
    functions = text[: len(HEAD)].count("\n") * "\n" + text[len(HEAD) :]
    exec(compile(functions, str(path), "exec"), plain)
    arcs: set[tuple[int, int]] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != str(path):
            return None
        first = frame.f_code.co_firstlineno
        if event == "line":
            before, last[frame] = last.get(frame, -first), frame.f_lineno
            arcs.add((before, frame.f_lineno))
        elif event == "return":
            arcs.add((last[frame], -first))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for length in lengths:
            plain["verdict"](SimpleNamespace(len=length))
    finally:
        sys.settrace(before)
    return arcs


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def one_line_a_statement(path: Path, arcs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """As coverage.py does it: a statement over several lines counts as its first."""
    from coverage.parser import PythonParser

    parser = PythonParser(text=path.read_text())
    parser.parse_source()

    def first(line: int) -> int:
        return parser.first_line(line) if line > 0 else line

    return {(first(start), first(end)) for start, end in arcs if first(start) != first(end)}


@pytest.mark.parametrize("name", BODIES)
def test_arcs_are_those_of_python(name: str, tmp_path: Path) -> None:
    path = policy_file(tmp_path, BODIES[name])
    for lengths in ((1,), (3, 4), (5,), (9,), LENGTHS):
        expected = one_line_a_statement(path, traced(path, lengths))
        assert recorded(path, lengths) == expected, lengths


def test_a_fault_ends_the_way(tmp_path: Path) -> None:
    """The arc to the line that faults is there, one out of the function is not; the next run begins anew."""
    path = policy_file(tmp_path, BODIES["endless"])
    policy = load_policy(path)
    recorder = Recorder()
    with watched_by(recorder):
        simulator = Simulator(policy)
    simulator.environment.budget = 50
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    with pytest.raises(Exception, match="budget"):
        client.send(bytes(20))
    assert recorder.arcs
    assert not any(end < 0 for _, end in recorder.arcs[str(path)])
    simulator.environment.budget = 1000
    client.send(bytes(1))
    entries = [arc for arc in recorder.arcs[str(path)] if arc[0] < 0]
    assert len(entries) == 1


def test_a_statement_is_counted_once_however_many_blocks_it_has(tmp_path: Path) -> None:
    body = """
    if skb.pull_data(min(skb.len, 4)) != 0:
        return SK_DROP
    if skb.data.startswith(b"ab") or skb.data.startswith(b"cd"):
        return SK_PASS
    for i in range(min(skb.len, 3)):
        if i == 9:
            return SK_PASS
    return SK_DROP
"""
    path = policy_file(tmp_path, body)
    first = path.read_text().splitlines().index("    if skb.pull_data(min(skb.len, 4)) != 0:") + 1
    recorder = Recorder()
    with watched_by(recorder):
        simulator = Simulator(load_policy(path))
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    for content in (b"abc", b"cde", b"efg"):
        client.send(content)
    hits = {line - first: count for (_, line), count in recorder.hits.items()}
    assert hits == {0: 3, 2: 3, 3: 2, 4: 4, 5: 3, 7: 1}


def test_lines_of_other_modules_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(
        "from skverdict.dsl import inline, u32\n\n\n@inline\ndef twice(number: u32) -> u32:\n    return number * 2\n"
    )
    path = tmp_path / "policy.py"
    path.write_text(
        "from shared import twice\n"
        "from skverdict.dsl import SK_DROP, SK_PASS, SkSkb, SockMap, i32, stream_verdict\n\n"
        "sockets = SockMap(max_entries=2)\n\n\n"
        "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n"
        "    return SK_PASS if twice(skb.len) > 4 else SK_DROP\n"
    )
    recorder = Recorder()
    policy = load_policy(path)
    with watched_by(recorder):
        simulator = Simulator(policy)
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    client.send(b"abc")
    assert recorder.arcs == {
        str(path): {(-7, 9), (9, -7)},
        str(tmp_path / "shared.py"): {(-4, 6), (6, -4)},
    }


def test_nobody_is_watched_by_default(tmp_path: Path) -> None:
    policy = load_policy(policy_file(tmp_path, BODIES["if"]))
    recorder = Recorder()
    with watched_by(recorder):
        pass
    assert not Simulator(policy).globals
    assert recorder.arcs == {}
