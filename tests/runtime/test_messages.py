"""Many messages at once: nothing tells them from messages that are sent one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from skverdict.runtime import Simulator, Socket
from skverdict.runtime import messages as at_once
from skverdict.runtime.machine.fault import Fault

from tests.runtime.replay_kit import compiled

MAP = "sockets = SockMap(max_entries=8)\n"
WHOLE = "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    return skb.len\n"
VERDICT = "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n"
TO_TARGET = VERDICT + "    return sockets.redirect(skb, 0)\n"

#: Verdicts and parsers, and whether messages that they see go at once.
POLICIES: dict[str, tuple[str, bool]] = {
    "redirect": (WHOLE + TO_TARGET, True),
    "drop": (WHOLE + VERDICT + "    return SK_DROP\n", True),
    "by port": (
        WHOLE + VERDICT + "    if skb.local_port == 10000 and skb.family == 2:\n"
        "        return sockets.redirect(skb, 0)\n    return SK_DROP\n",
        True,
    ),
    "by length": (
        WHOLE + VERDICT + "    if skb.len % 3 == 0:\n        return SK_DROP\n"
        "    return sockets.redirect(skb, skb.len % 2 * 7)\n",
        True,
    ),
    "by content": (
        WHOLE + VERDICT + "    if skb.data[0:1] == b'a':\n        return SK_DROP\n"
        "    return sockets.redirect(skb, 0)\n",
        True,
    ),
    "twice": (
        WHOLE + VERDICT + "    if skb.len > 20:\n        sockets.redirect(skb, 5)\n        sockets.redirect(skb, 0)\n"
        "        return SK_PASS\n    sockets.redirect(skb, 0)\n    return SK_DROP\n",
        True,
    ),
    "by loops": (
        WHOLE + VERDICT + "    odd: u32 = 0\n    for number in range(8):\n        odd += skb.len >> number & 1\n"
        "    return sockets.redirect(skb, odd & 1)\n",
        True,
    ),
    "odd flags": (WHOLE + VERDICT + "    return sockets.redirect(skb, 0, u64(skb.len & 6))\n", True),
    "now and then to ingress": (
        WHOLE + VERDICT + "    if skb.len == 33:\n        return sockets.redirect(skb, 0, BPF_F_INGRESS)\n"
        "    return sockets.redirect(skb, 0)\n",
        True,
    ),
    "now and then passed": (
        WHOLE + VERDICT + "    if skb.len == 33:\n        return SK_PASS\n    return sockets.redirect(skb, 0)\n",
        True,
    ),
    "elsewhere": (WHOLE + VERDICT + "    return sockets.redirect(skb, 1 if skb.len == 9 else 0)\n", True),
    "half messages": (
        "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    if skb.len == 40:\n        return 20\n    return skb.len\n"
        + TO_TARGET,
        True,
    ),
    "more than there is": (
        "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    if skb.len == 40:\n        return 50\n    return skb.len\n"
        + TO_TARGET,
        True,
    ),
    "parser reads": (
        "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    if skb.data[0:1] == b'b' and skb.len > 55:\n"
        "        return 0\n    return skb.len\n" + TO_TARGET,
        True,
    ),
    "counts": (
        "counts = ArrayMap(value=u64, max_entries=1)\n" + WHOLE + VERDICT + "    count = counts.lookup(0)\n"
        "    if count is not None:\n        count.value += 1\n    return sockets.redirect(skb, 0)\n",
        False,
    ),
    "pulls": (
        WHOLE + VERDICT + "    helpers.bpf_skb_pull_data(skb, 1)\n    return sockets.redirect(skb, 0)\n",
        False,
    ),
    "marks": (WHOLE + VERDICT + "    skb.tc_index = 5\n    return sockets.redirect(skb, 0)\n", False),
}


HASH = """
from skverdict.dsl import Struct, be32, u8, u16
class Key(Struct):
    address: be32
    port: u32
    tag: u16
    last: u8
sockets = SockHash(key=Key, max_entries=80)
"""
BY_KEY = (
    WHOLE + VERDICT + "    key = Key(address=skb.remote_ip4, port=skb.local_port, tag=u16(skb.len & 1))\n"
    "    return sockets.redirect(skb, key)\n"
)
TO_ODD, TO_EVEN, TO_OTHER = (bytes.fromhex(f"7f000001102700000{tag}000000") for tag in (1, 0, 9))


class Scene:
    """A client whose messages go through the policy, and the reader at the other end of the redirect."""

    def __init__(self, source: str, engine: str, keys: Sequence[bytes] = (), **settings: Any) -> None:
        self.sim = Simulator(compiled((HASH if "Key(" in source else MAP) + source), engine=engine, **settings)
        self.client, self.server = self.sim.tcp_pair(server_port=10000)
        self.target, self.reader = self.sim.tcp_pair()
        self.other, _ = self.sim.tcp_pair()
        first, second, watched = (TO_ODD, TO_OTHER, bytes(12)) if "Key(" in source else (0, 1, 2)
        for key in (first, *keys):
            self.sim.maps["sockets"][key] = self.target
        self.sim.maps["sockets"][second] = self.other
        programs = {"parser": "parser"} if "parser" in self.sim.programs else {}
        self.sim.attach("sockets", verdict="verdict", **programs)
        self.sim.maps["sockets"][watched] = self.server

    def sockets(self) -> list[Socket]:
        return [self.client, self.server, self.target, self.reader, self.other]

    def replay(self, messages: list[bytes]) -> tuple[object, ...]:
        """What comes of messages, and what is left of them everywhere."""
        try:
            received: object = self.sim.replay(self.client, messages, self.reader)
        except (OSError, Fault) as error:
            received = str(error)
        state = [
            (end.rcv_nxt, end.copied_seq, end.snd_nxt, end.error, len(end.receive_queue))
            for end in (socket.kernel_socket for socket in self.sockets())
        ]
        return received, state, list(self.sim.trace)


def made(random_: random.Random, count: int, longest: int) -> list[bytes]:
    return [random_.choice(b"abc").to_bytes(1, "big") * random_.randint(1, longest) for _ in range(count)]


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what happens at the borders of many messages happens with few."""
    monkeypatch.setattr(at_once, "WORTHWHILE", 3)
    monkeypatch.setattr(at_once, "AT_ONCE", 50)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages went at once, time by time."""
    found: list[int] = []
    original = at_once._at_once

    def count(*arguments: Any) -> list[bytes]:
        done = original(*arguments)
        found.append(len(done))
        return done

    monkeypatch.setattr(at_once, "_at_once", count)
    return found


@pytest.mark.parametrize("linear", [0, 4])
@pytest.mark.parametrize("name", POLICIES)
def test_all_is_as_one_by_one(name: str, linear: int, parts: list[int]) -> None:
    source, expected = POLICIES[name]
    messages = made(random.Random(name), 120, 60)
    scenes = [Scene(source, engine, linear=linear) for engine in ("reference", "native")]
    one_by_one, many = (scene.replay(messages) for scene in scenes)
    assert many == one_by_one
    assert bool(sum(parts)) == expected
    # And so is what comes afterwards.
    assert scenes[1].replay(messages[:5]) == scenes[0].replay(messages[:5])


@pytest.mark.parametrize(
    ("keys", "at_once"),
    [
        ([], False),  # half of the messages find no key, which native code cannot note
        ([TO_EVEN], True),
        ([*(bytes([number]) * 12 for number in range(1, 62)), TO_EVEN], False),  # more keys than it looks through
    ],
)
def test_redirects_by_a_hash(keys: list[bytes], at_once: bool, parts: list[int]) -> None:
    messages = made(random.Random(4), 100, 60)
    one_by_one, many = (Scene(BY_KEY, engine, keys).replay(messages) for engine in ("reference", "native"))
    assert many == one_by_one
    assert (sum(parts) == 100) == at_once


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
@pytest.mark.parametrize("hazards", ["kernel", "ideal"])
def test_whatever_the_settings(kernel: str, hazards: str, parts: list[int]) -> None:
    settings = {"kernel": kernel, "hazards": hazards, "linear": 8, "mss": 16, "receive_buffer": 200}
    messages = made(random.Random(kernel), 100, 90)
    scenes = [Scene(POLICIES["by length"][0], engine, **settings) for engine in ("reference", "native")]
    assert scenes[1].replay(messages) == scenes[0].replay(messages)
    assert bool(sum(parts)) == (kernel != "6.1")  # which sends the linear part by itself


CONDITIONS = (
    "skb.len > {0}", "skb.len % 5 == {1}", "skb.data[0:1] == b'a'", "skb.data[1:3] == b'bb'", "skb.local_port == 10000",
    "skb.family == {1}", "skb.napi_id > {1}",
)  # fmt: skip
ACTIONS = (
    "return sockets.redirect(skb, 0)", "return sockets.redirect(skb, skb.len >> 5)", "return SK_DROP",
    "sockets.redirect(skb, {1})", "return sockets.redirect(skb, 0, u64(skb.len & {1}))", "return i32(skb.len & 1)",
)  # fmt: skip


def random_policy(random_: random.Random) -> str:
    """A verdict of some conditions in each other."""

    def body(depth: int) -> list[str]:
        lines = []
        for _ in range(random_.randint(1, 2)):
            if depth and random_.random() < 0.7:
                condition = random_.choice(CONDITIONS).format(random_.randint(0, 60), random_.randint(0, 4))
                lines += [f"if {condition}:", *(f"    {line}" for line in body(depth - 1))]
            else:
                lines.append(random_.choice(ACTIONS).format(random_.randint(0, 60), random_.randint(0, 4)))
                if lines[-1].startswith("return"):
                    return lines
        return lines

    lines = [*body(3), "return sockets.redirect(skb, 0)"]
    end = next((at for at, line in enumerate(lines) if line.startswith("return")), len(lines))
    return WHOLE + VERDICT + "".join(f"    {line}\n" for line in lines[: end + 1])


@pytest.mark.parametrize("seed", range(12))
def test_random_policies(seed: int) -> None:
    random_ = random.Random(seed)
    source, linear = random_policy(random_), random_.choice([0, 2, 100])
    messages = made(random_, 100, 70)
    scenes = [Scene(source, engine, linear=linear) for engine in ("reference", "native")]
    assert scenes[1].replay(messages) == scenes[0].replay(messages), source


def test_messages_of_any_size(parts: list[int]) -> None:
    messages = [bytes([size & 255]) * size for size in (1, 0, 65536, 65537, 100_000, 40_000, 300_000, 5) * 6]
    scenes = [Scene(POLICIES["redirect"][0], engine) for engine in ("reference", "native")]
    assert scenes[1].replay(messages) == scenes[0].replay(messages)
    assert sum(parts) == 3 * 6


@pytest.mark.parametrize("short", ["server", "target"])
def test_segments_that_are_too_long_somewhere_on_their_way(short: str) -> None:
    scenes = [Scene(POLICIES["redirect"][0], engine, mss=6000) for engine in ("reference", "native")]
    for scene in scenes:
        if short == "server":
            scene.server.set_buffers(1200)
        else:
            scene.target.kernel_socket.mss = 2500  # type: ignore[attr-defined]
    messages = made(random.Random(short), 60, 7000)
    assert scenes[1].replay(messages) == scenes[0].replay(messages)


def test_a_segment_of_a_message_may_be_dropped(parts: list[int]) -> None:
    source = WHOLE + VERDICT + "    if skb.len == 16:\n        return SK_DROP\n    return sockets.redirect(skb, 0)\n"
    messages = made(random.Random(1), 60, 70)
    scenes = [Scene(source, engine, mss=16) for engine in ("reference", "native")]
    assert scenes[1].replay(messages) == scenes[0].replay(messages)
    assert sum(parts) == 60


def test_a_verdict_without_a_parser_goes_the_ordinary_way(parts: list[int]) -> None:
    scenes = [Scene(TO_TARGET, engine) for engine in ("reference", "native")]
    messages = made(random.Random(2), 20, 20)
    assert scenes[1].replay(messages) == scenes[0].replay(messages)
    assert sum(parts) == 0


@pytest.mark.parametrize("disturb", ["unread", "half", "gone", "closed", "shut", "msg_verdict", "nobody reads"])
def test_whatever_was_before(disturb: str) -> None:
    source = POLICIES["redirect"][0] + "@msg_verdict\ndef out(msg: SkMsg) -> i32:\n    return SK_DROP\n"
    scenes = [Scene(source, engine, **({"mss": 8} if disturb == "half" else {})) for engine in ("reference", "native")]
    for scene in scenes:
        if disturb == "unread":
            scene.client.send(b"before")
        elif disturb == "half":
            scene.client.send(b"begun", more=True)
        elif disturb == "gone":
            del scene.sim.maps["sockets"][0]
        elif disturb == "closed":
            scene.target.close()
        elif disturb == "shut":
            scene.reader.shutdown(2)
        elif disturb == "msg_verdict":
            scene.sim.detach("sockets", verdict="verdict", parser="parser")
            scene.sim.attach("sockets", msg_verdict="out")
            del scene.sim.maps["sockets"][0]
            scene.sim.maps["sockets"][0] = scene.target
        else:
            scene.reader = scene.sim.tcp_pair()[1]
    messages = made(random.Random(disturb), 30, 30)
    assert scenes[1].replay(messages) == scenes[0].replay(messages)


def test_reference_means_reference(parts: list[int]) -> None:
    Scene(POLICIES["redirect"][0], "reference").replay(made(random.Random(3), 20, 20))
    assert sum(parts) == 0


def test_the_trace_is_written_only_when_somebody_looks() -> None:
    scene = Scene(POLICIES["redirect"][0], "native")
    scene.sim.trace.clear()
    scene.sim.replay(scene.client, [b"abcd"] * 40, scene.reader)
    assert len(scene.sim.trace._written) == 1
    assert len(scene.sim.trace) == 40 * 7
    assert [str(event) for event in scene.sim.trace[-3:-1]] == [
        "egress server1 -> client2: 4 bytes b'abcd'",
        "arrived client2 -> server2: 4 bytes b'abcd'",
    ]


def test_a_trace_goes_on_behind_what_it_has_not_written_yet() -> None:
    scene = Scene(POLICIES["redirect"][0], "native")
    scene.sim.trace.clear()
    scene.sim.replay(scene.client, [b"abcd"] * 40, scene.reader)
    scene.client.send(b"efgh")
    assert scene.sim.trace.verdicts() == {("parser", "message"): 41, ("verdict", "redirect"): 41}
    scene.sim.trace.clear()
    assert not scene.sim.trace


@pytest.mark.parametrize("count", [0, 1, 47, 130])
def test_what_comes_before_an_error_of_the_messages_is_sent(count: int) -> None:
    messages = made(random.Random(count), count, 30)

    def until_it_fails() -> Iterator[bytes]:
        yield from messages
        raise LookupError("no more")

    scenes = [Scene(POLICIES["redirect"][0], engine) for engine in ("reference", "native")]
    for message in messages:
        scenes[0].client.send(message)
        scenes[0].reader.recv_all()
    with pytest.raises(LookupError, match="no more"):
        scenes[1].sim.replay(scenes[1].client, until_it_fails(), scenes[1].reader)
    assert list(scenes[1].sim.trace) == list(scenes[0].sim.trace)


def test_messages_may_be_any_bytes_and_come_from_a_generator() -> None:
    scene = Scene(POLICIES["redirect"][0], "native")
    content = bytearray(b"ab")
    received = scene.sim.replay(scene.client, (memoryview(content) for _ in range(100)), scene.reader)
    content[:] = b"xy"
    assert received == [b"ab"] * 100
    assert {type(each) for each in received} == {bytes}
