"""Bodies of programs that give in ordinary Python what they give compiled, for all that a number can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from skverdict.dsl import SK_DROP, SK_PASS, Message, SkSkb, i32, load_policy, u32

from tests.dsl.meaning import plain_module
from tests.dsl.policy_kit import Machine

DECLARED = """
from enum import IntEnum

from skverdict.dsl import *


class Kind(IntEnum):
    A = 200
    B = 3


class P(Struct):
    a: u8
    flag: bool
    w: Array[u16, 4]
    e: be32


TYPED = u8(200)
g = Global(u8, 250)
ga = Global(Array[u16, 2], [65535, 2])
gs = Global(P)
counts = HashMap(key=u32, value=u16, max_entries=2)
"""

# Among what they are about: what stands on the left of an operator, names that several loops give values to, both
# sides of a choice, variables that all programs share, and fields.
BODIES = """
x = u8(skb.hash)
for i in (1, 200):
    x += i
for i in (3, 100):
    x += i
return i32(x)

x = u8(skb.hash)
y = 0
for i in (1, 2):
    if x == 3:
        break
    y = i32(x + i) + y
for i in (200, 255):
    y += i32(x + i)
return i32(y)

x = u8(skb.hash)
t: u32 = 0
for i, v in enumerate((200, 100)):
    t = t * 3 + (x + v) + i
for i, v in enumerate((20, 10)):
    t = t * 3 + (x + v)
return i32(t)

x = u8(skb.hash)
return i32(Kind.A + x)

x = u8(skb.hash)
return i32(Kind.A - x)

x = u8(skb.hash)
return i32(x - Kind.A)

x = u8(skb.hash)
k = Kind.A
return i32(k * x)

x = u8(skb.hash)
return i32(Kind.A << (x & 1))

x = u8(skb.hash)
return i32(TYPED + x)

x = u8(skb.hash)
y = (x if x > 3 else (z := 7))
return i32(y)

x = u8(skb.hash)
z: u8 = 0
y = (x if x > 3 else (z := 7))
return i32(y) + i32(z)

x = u8(skb.hash)
if (x if x > 200 else (y := x + 100)) > 5:
    return 1
return 0

g.value += u8(skb.hash)
return i32(g.value)

ga.value[0] += 1
return i32(ga.value[0] + ga.value[1])

gs.value.a -= 1
gs.value.w[1] -= 2
return i32(gs.value.a) + i32(gs.value.w[1])

gs.value = P(a=3)
return i32(gs.value.a)

x = skb.hash
return i32(min(x, 5) - 6)

x = u8(skb.hash)
return i32(min(x, 200) + 100)

x = u8(skb.hash)
return i32(max(3, 4) + x)

x = u8(skb.hash)
return i32(abs(-3) + x)

x = i8(skb.hash)
return i32(abs(x))

x = i8(skb.hash)
return i32(x >> 1) + i32(x << 3)

x = i8(skb.hash)
return i32(x // 3) * 100 + i32(x % 3)

x = u8(skb.hash)
b = x > 5
return i32(u8(b) + x)

x = u8(skb.hash)
b = x > 5
c = not b
return i32(u32(b != c))

x = u8(skb.hash)
b = bool(x)
return i32(u32(b))

x = u8(skb.hash)
p = P(a=x, flag=x > 3)
p.a += 250
return i32(p.a) + i32(u32(p.flag))

x = u8(skb.hash)
p = P()
p.w[x & 3] = u16(x) * 300
p.w[x & 3] += 60000
return i32(p.w[x & 3])

x = u8(skb.hash)
p = P(e=be32(skb.hash))
return i32(p.e.host()) + i32(p.e.raw())

x = u8(skb.hash)
p = P(e=be32(skb.hash))
q = p.copy()
q.a = 7
q.w[1] = 9
return i32(p.a) + i32(p.w[1]) * 10

x = u8(skb.hash)
p = P()
q = p
q.a = 7
q.w[1] = 9
return i32(p.a) + i32(p.w[1]) * 10

counts.update(1, u16(skb.hash))
c = counts.lookup(1)
if c is None:
    return -1
c.value += 65535
return i32(c.value)

x = u16(skb.hash)
t: u32 = 0
for i in range(u16(3)):
    t += x + i
return i32(t)

x = u8(skb.hash)
t: u32 = 0
for i in range(250, 255):
    t += u32(x + i)
return i32(t)

x = u8(skb.hash)
t: u32 = 0
for i in range(min(x, 5)):
    t = t * 2 + (i << 4) - i
return i32(t)

x = u8(skb.hash)
n = 300
return i32(u16(x) + n)

x = u8(skb.hash)
n = 5
n += 1
return i32(n - x)

x = u8(skb.hash)
n = -1
return i32(i16(x) * n)

x = skb.hash
return i32(x + (1 if x > 4 else 2))

x = u8(skb.hash)
return i32(x + (1 if x > 4 else 2))

x = u8(skb.hash)
y = 1 if x > 4 else 2
return i32(y - x)

x = u8(skb.hash)
y = x if x > 4 else 300
return i32(u32(y))

x = u8(skb.hash)
return i32(~x) + i32(-x)

x = u32(skb.hash)
return i32(x & ~1) + i32(x | -8)

x = u8(skb.hash)
return i32(5 // x) + i32(5 % x)

x = u8(skb.hash)
return 1 if 3 < x <= 200 != x else 0

x = u8(skb.hash)
return 1 if x in (3, 4, 200) else 2 if x in range(5, 9) else 3

x = u8(skb.hash)
match x:
    case 3 | 4:
        return 1
    case y if y > 200:
        return i32(y + 1)
    case Kind.A:
        return 7
return 9

x = i8(skb.hash)
match x:
    case -1:
        return 1
    case 3:
        return 2
return i32(x)

x = u64(skb.hash)
x <<= 33
return i32(x >> 31)

x = u64(skb.hash)
x *= x
return i32(x >> 32)

x: u8 = 0
x -= 1
return i32(x)

x: u8
x = u8(skb.hash)
x += 200
return i32(x)

x = u8(skb.hash)
y = x
y += 1
return i32(x) + i32(y) * 256

x = y = u8(skb.hash)
return i32(x)

x = u8(skb.hash)
return i32((x + 1) * (x + 2))

x = u8(skb.hash)
t: u32 = 0
while x:
    x >>= 1
    t += 1
else:
    t += 100
return i32(t)

x = u8(skb.hash)
t: i32 = 0
for i in range(10, -1, -4):
    t = t * 3 + i
return t

x = u8(skb.hash)
for i in range(5):
    if i == x:
        break
else:
    return 9
return i

x = u8(skb.hash)
s = 0
for a, b in ((1, 2), (3, 4)):
    s += a * b * x
return i32(s)

x = u8(skb.hash)
s = 0
for a, b in ((1, 200), (3, 4)):
    s += i64(x + b)
for a, b in ((1, 250), (3, 4)):
    s += i64(x + b)
return i32(s)

x = u8(skb.hash)
s = 0
for k in Kind:
    s += i64(k - x)
return i32(s)

x = u8(skb.hash)
s = u8(0)
for k in reversed((1, 2, 200)):
    s = s * 3 + k
return i32(s)

x = u8(skb.hash)
d = u8(3)
return i32(x) + len(b"abc") * i32(d)

x = u8(skb.hash)
p = P()
n = len(p.w)
return i32(x * n)

x = u16(skb.hash)
return i32(be16(x).raw()) + i32(be16(x).host())

x = skb.hash
return i32(skb.remote_port.raw() + x)

x = skb.hash
return i32(skb.remote_port.host() - 1 - x)

x = skb.hash
return i32(skb.local_port) - 1

skb.priority = skb.hash
skb.priority += 5
return i32(skb.priority)

x = i64(skb.hash)
return i32(u32(x < 5)) + i32(u32(-1 < x))

x = i32(skb.hash)
return i32(u32(x < u32(5)))

x = i32(skb.hash)
y = u64(x)
return i32(y >> 32)

x = u32(skb.hash)
return i32(i64(x) - 5 >> 33)

x = u8(skb.hash)
return i32((x << 4) >> 4) + i32(x << 4 >> 4)

x = u8(skb.hash)
return i32(1 << (x & 7)) + i32(u16(1) << x)

x = skb.hash
return i32(u64(1) << x >> 3)

x = u8(skb.hash)
flag = x > 4 and x < 100 or x == 200
return i32(flag)
"""

NUMBERS = (0, 1, 3, 4, 5, 127, 128, 200, 250, 255, 256, 65535, 1 << 31, (1 << 32) - 1)


@pytest.mark.parametrize("body", BODIES.strip().split("\n\n"))
def test_a_body_gives_what_it_gives_compiled(body: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    head = "@skb_verdict\ndef program(skb: SkSkb) -> i32:\n"
    path.write_text(f"{DECLARED}\n\n{head}" + "".join(f"    {line}\n" for line in body.split("\n")))
    machine = Machine(load_policy(path))
    fields: dict[str, Any] = {"len": 6, "remote_port": 0, "local_port": 0, "priority": 0}
    for number in NUMBERS:
        # A module of its own for each run, since variables stay what they are.
        found = plain_module(path).program(SkSkb(hash=number, data=b"abcdef"))
        assert found == machine.run(b"abcdef", hash=number, **fields), number


def test_the_kernel_keeps_16_bits_of_a_traffic_class() -> None:
    skb = SkSkb(tc_index=3)
    skb.tc_index += 65535
    assert (skb.tc_index, type(skb.tc_index)) == (2, u32)


MESSAGES = """
from skverdict.dsl import *

@inline
def rest(msg: Message) -> u32:
    return msg.length - 9 + (len(msg.data) - 5)
"""


def test_the_lengths_of_a_message_are_numbers_of_32_bits(tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(MESSAGES)
    assert plain_module(path).rest(Message(data=b"abcd", length=8)) == (1 << 32) - 2


FRAMED = """
from skverdict.dsl import *

peers = SockMap(max_entries=1)

def record(msg: Message) -> i32:
    first = msg.data[0]
    if first is None:
        return 0
    byte = msg.data[first + 10]
    return -1 if byte is None else i32(byte)

@framed(record)
def verdict(msg: Message) -> i32:
    left = 0
    left += msg.length
    return SK_DROP if left - 10 < 0 else peers.redirect(msg, 0)
"""


def test_both_functions_of_framed_compute_as_they_do_compiled(tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(FRAMED)
    policy = plain_module(path)
    policy.peers[0] = "a socket"
    assert policy.record(Message(data=bytes([250, *range(255), *range(255)]))) == 4
    assert type(policy.record(Message(data=b"\0" * 11))) is i32
    assert [policy.verdict(Message(length=length)) for length in (9, 10)] == [SK_DROP, SK_PASS]
