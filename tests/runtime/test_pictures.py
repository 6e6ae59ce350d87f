"""Pictures: the control flow of programs, maps over time, and the page that holds both."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator
from skverdict.runtime.cli import main
from skverdict.runtime.pictures.control_flow import blocks, graph_text
from skverdict.runtime.pictures.drawing import graph_svg
from skverdict.runtime.pictures.map_history import Change, History

from tests.codegen.sample_objects import SAMPLES, object_of
from tests.runtime.replay_kit import CAPTURES, EXAMPLES, HEAD, compiled

Output = pytest.CaptureFixture[str]
HTTP = str(CAPTURES / "http1-nginx.pcap")

LOOP = """endian little
license "GPL"

program verdict sk_skb/stream_verdict
verdict:
; policy.py:3:5:     left = 3
    w1 = 3
L1:
; policy.py:4:5:     while left:
    w1 += -1
    if w1 != 0 goto L1
; policy.py:6:5:     return SK_PASS
    w0 = 1
    exit
"""


def successors(text: str) -> list[tuple[int, ...]]:
    return [block.successors for block in blocks(assemble(text).programs["verdict"])]


def test_blocks_of_a_loop() -> None:
    found = blocks(assemble(LOOP).programs["verdict"], {("policy.py", 4): 3})
    assert [(block.first, block.last, block.successors) for block in found] == [
        (0, 0, (1,)), (1, 2, (2, 1)), (3, 4, ())
    ]  # fmt: skip
    assert [[(line.number, line.hits) for line in block.lines] for block in found] == [[(3, 0)], [(4, 3)], [(6, 0)]]


def test_a_jump_to_the_next_instruction_is_one_way() -> None:
    text = LOOP.partition("; policy.py:3")[0] + "    if r1 == 0 goto +0\n    goto +0\n    w0 = 1\n    exit\n"
    assert successors(text) == [(1,), ()]


def test_functions_begin_blocks() -> None:
    text = LOOP.partition("; policy.py:3")[0] + "    call inner\n    exit\ninner:\n    w0 = 1\n    exit\n"
    found = blocks(assemble(text).programs["verdict"])
    assert [(block.function, block.successors) for block in found] == [("verdict", ()), ("inner", ())]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_instruction_is_in_one_block(name: str) -> None:
    for program in object_of(name).programs.values():
        found = blocks(program)
        assert [block.first for block in found] == sorted(block.first for block in found)
        inside = [slot for block in found for slot in program.instructions if block.first <= slot <= block.last]
        assert inside == sorted(program.instructions)
        assert all(0 <= number < len(found) for block in found for number in block.successors)


def test_the_graph_as_text() -> None:
    assert graph_text(assemble(LOOP).programs["verdict"], {("policy.py", 4): 3}).splitlines() == [
        "verdict (sk_skb/stream_verdict): 5 instructions, 3 blocks",
        "  B0  0..0",
        "  |       0x     3      left = 3",
        "  `-> B1",
        "  B1  1..2",
        "  |       3x     4      while left:",
        "  `-> B2, B1",
        "  B2  3..4",
        "  |       0x     6      return SK_PASS",
        "  `-> exit",
    ]


def test_the_graph_as_a_drawing() -> None:
    found = blocks(assemble(LOOP).programs["verdict"], {("policy.py", 4): 3})
    drawn = ElementTree.fromstring(graph_svg(found, "a < b"))
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.get("aria-label") == "a < b"
    assert [each.get("data-block") for each in drawn.iter(f"{space}g")] == ["0", "1", "2"]
    edges = [each.get("d", "") for each in drawn.iter(f"{space}path") if each.get("class") == "edge"]
    assert len(edges) == 3
    assert [text.text for text in drawn.iter(f"{space}text") if text.get("class") == "count"] == ["0x", "3x", "0x"]


@pytest.mark.parametrize("name", ["message_policy", "local_bypass"])
def test_jumps_side_by_side_do_not_lie_over_one_another(name: str) -> None:
    content = Simulator(load_policy(EXAMPLES / f"{name}.py")).object
    for program in content.programs.values():
        drawn = graph_svg(blocks(program), program.name)
        upright = re.findall(r'd="M\d+ (\d+) H(-?\d+) V(\d+)', drawn)
        spans = [(int(x), *sorted((int(start), int(end)))) for start, x, end in upright]
        for at, (x, low, high) in enumerate(spans):
            assert x > 0
            assert not any(x == other and low < top and bottom < high for other, bottom, top in spans[at + 1 :])


def test_graph_command(capsys: Output) -> None:
    policy = str(EXAMPLES / "hash_redirect.py")
    assert main(["graph", policy]) == 0
    assert "verdict (sk_skb/stream_verdict): " in capsys.readouterr().out
    assert main(["graph", policy, "--svg"]) == 2
    assert capsys.readouterr().err == "skverdict: a drawing is of one program: --program, one of parser, verdict\n"
    assert main(["graph", policy, "--program", "absent"]) == 2
    assert main(["graph", policy, "--program", "parser", "--svg"]) == 0
    ElementTree.fromstring(capsys.readouterr().out)


# Maps

COUNTING = """sockets = SockMap(max_entries=4)
seen = ArrayMap(value=u64, max_entries=2)

@stream_verdict
def verdict(skb: SkSkb) -> i32:
    count = seen.lookup(1)
    if count is not None:
        count.value += skb.len
    return SK_PASS
"""


def test_changes_of_maps_are_noted_once() -> None:
    simulator = Simulator(compiled(COUNTING))
    history = History(simulator)
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][2] = server
    history.look(1)
    client.send(b"abc")
    history.look(2)
    history.look(3)
    del simulator.maps["sockets"][2]
    history.look(4)
    assert history.changes == [
        Change(1, "sockets", "2", "", "server1"),
        Change(2, "seen", "1", "0", "3"),
        Change(4, "sockets", "2", "server1", ""),
    ]


def test_what_is_there_at_first_was_put_in_at_0() -> None:
    simulator = Simulator(compiled(COUNTING))
    _, server = simulator.tcp_pair()
    simulator.maps["sockets"][0] = server
    assert History(simulator).changes == [Change(0, "sockets", "0", "", "server1")]


# The page


@pytest.fixture
def page(tmp_path: Path, capsys: Output) -> Path:
    """The page of a policy whose name and map contents have what HTML must not take for its own."""
    policy = tmp_path / "<b>&.py"
    policy.write_text(HEAD + COUNTING.replace("    return SK_PASS", "    return SK_DROP if skb.len < 2 else SK_PASS"))
    target = tmp_path / "page.html"
    assert main(["run", str(policy), "--capture", HTTP, "--report", str(target)]) == 0
    assert "Verdicts" in capsys.readouterr().out
    return target


def test_the_page_stands_alone(page: Path) -> None:
    text = page.read_text()
    assert html.escape("<b>&.py") in text and "<b>&.py" not in text
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r'(?:src|href)="(?!#)', text)


def test_the_page_shows_how_often_lines_ran(page: Path) -> None:
    row = r'xml:space="preserve">\s*\d+\s+(.*?)</text><text class="count".*?>(.*?)</text>'
    counts = dict(re.findall(row, page.read_text()))
    assert counts["count.value += skb.len"] == "14x"


def test_pictures_in_the_terminal_have_what_the_page_has(capsys: Output) -> None:
    assert main(["run", str(EXAMPLES / "hash_redirect.py"), "--capture", HTTP, "--pictures"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^verdict \(sk_skb/stream_verdict\): \d+ instructions", shown, re.MULTILINE)
    assert re.search(r"^  \| +[1-9]\d*x +\d+  +return sock_hash_rx.redirect", shown, re.MULTILINE)
    assert re.search(r"^ +server 1 +client 1", shown, re.MULTILINE)
    assert "[verdict: " in shown
    assert re.search(r"^Maps over time\n +packet +map +key +before +after\n", shown, re.MULTILINE)


@pytest.mark.parametrize("other", [["--json"], ["--report", "-"]], ids=["json", "page"])
def test_pictures_have_standard_output_for_themselves(other: list[str], capsys: Output) -> None:
    assert main(["run", str(EXAMPLES / "hash_redirect.py"), "--capture", HTTP, "--pictures", *other]) == 2
    assert "standard output can be the pictures or something else, not both" in capsys.readouterr().err


def test_a_report_does_not_change_what_is_printed(tmp_path: Path, capsys: Output) -> None:
    arguments = ["run", str(EXAMPLES / "port_redirect.py"), "--capture", HTTP, "--json"]
    assert main(arguments) == 0
    plain = capsys.readouterr().out
    assert main([*arguments, "--report", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == plain


def test_a_browser_shows_the_maps(page: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
        f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    contents = shown.partition('<div id="contents">')[2].partition("</div>")[0]
    changes = json.loads(page.read_text().partition('id="changes">')[2].partition("</script>")[0])
    last = {(name, key): after for _, name, key, _, after in changes}
    found = re.findall(r"<caption>(\w+)</caption><tbody>(.*?)</tbody>", contents)
    rows = {(name, key): value for name, body in found
            for key, value in re.findall(r"<td>(.*?)</td><td>(.*?)</td>", body)}  # fmt: skip
    assert rows == {entry: value for entry, value in last.items() if value}
    assert int(rows["seen", "1"]) > 0


def test_the_page_draws_sockets_as_lanes(page: Path) -> None:
    text = page.read_text()
    lanes = text.partition('<template shadowrootmode="open">')[2].partition("</template>")[0]
    drawn = ElementTree.fromstring(lanes)
    names = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text") if each.get("class") == "name"]
    assert {"client 1", "server 1"} <= set(names)
