"""C pasted from kernel headers: layout, constants, bit-fields, and what is said about C that is not read."""

from __future__ import annotations

import subprocess
import sys
from enum import IntEnum

import pytest
from skverdict.codegen import Target
from skverdict.dsl import be32, c_types, u32
from skverdict.dsl.c.errors import CError
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.ir.types import size_of
from skverdict.dsl.layout import LayoutError, layout_of

from tests.corpus.headers import UAPI
from tests.dsl.policy_kit import Machine, body_errors, compiled, errors, program_text, returned

TARGETS = (Target("v1"), Target("v3"), Target("v3", "big"))


@pytest.mark.parametrize("name", CONTEXTS)
def test_contexts_lie_where_the_catalogue_says(name: str) -> None:
    layout = layout_of(getattr(c_types(UAPI), name))
    known = {field.name: field for field in CONTEXTS[name].fields.values()}
    found = {member.name: member for member in layout.members}
    assert len(found) > len(known) - 3
    for member in found.values():
        assert (member.offset, size_of(member.type)) == (
            known[member.name].offset, size_of(known[member.name].type)
        )  # fmt: skip


def test_headers_of_packets() -> None:
    c = c_types(UAPI)
    assert {one.name: one.offset for one in layout_of(c.tcphdr).members} == {
        "source": 0, "dest": 2, "seq": 4, "ack_seq": 8, "_bits12": 12, "_bits13": 13, "window": 14,
        "check": 16, "urg_ptr": 18,
    }  # fmt: skip
    assert layout_of(c.ipv6hdr).size == 40
    assert layout_of(c.tcp_word_hdr).size == 20


DECLARATIONS = """
/* A comment
   of two lines */
#include <linux/types.h>
#define HTTP_PORT 80   // the usual one
#define FLAG (1 << 3)
#define ALL (FLAG | BIT(4) | 0x80UL)
#define INVERSE (~0U)
#define LONG_ONE \\
    (HTTP_PORT + \\
     1)
#define SIGNED (-7 / 2)
#define CHOICE (sizeof(struct inner) > 4 ? 'A' : 010)
#define NAME "text"
#define PLUS_ONE(x) ((x) + 1)
#ifdef NOWHERE
#error not here
#elif HTTP_PORT == 80 && !defined(OTHER)
enum state { IDLE, BUSY = 5, DONE, };
#endif
enum { TCP_FLAG_SYN = __constant_cpu_to_be32(0x00020000) };
typedef __u32 port_t;
struct inner {
    __u8 kind;
    union { __u16 word; __u8 bytes[2]; } u;
    enum state state;
    port_t port;
};
typedef struct { struct inner in[2]; const char *name; } __attribute__((packed)) outer_t;
struct empty_tail { __u32 n; __u8 rest[]; };
"""


def test_constants() -> None:
    c = c_types(DECLARATIONS)
    found = {name: getattr(c, name) for name in dir(c)}
    numbers = {name: value for name, value in found.items() if type(value) is int}
    assert numbers == {
        "HTTP_PORT": 80, "FLAG": 8, "ALL": 0x98, "INVERSE": 0xFFFFFFFF, "LONG_ONE": 81, "SIGNED": -3,
        "CHOICE": 65, "IDLE": 0, "BUSY": 5, "DONE": 6,
    }  # fmt: skip
    assert be32(0x20000) == c.TCP_FLAG_SYN
    assert issubclass(c.state, IntEnum)
    assert c.state.DONE == 6


def test_types() -> None:
    c = c_types(DECLARATIONS)
    assert c.port_t is u32
    assert layout_of(c.inner).size == 12
    assert layout_of(c.outer_t).size == 32
    assert layout_of(c.empty_tail).size == 4
    assert {one.name: one.offset for one in layout_of(c.inner).members} == {
        "kind": 0, "u": 2, "state": 4, "port": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NAME", "`NAME` is no integer constant"),
        ("PLUS_ONE", "`PLUS_ONE` is a macro with arguments"),
        ("nothing", "the C text declares no `nothing`"),
    ],
)
def test_what_is_no_constant(name: str, message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        getattr(c_types(DECLARATIONS), name)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("struct a { float x; };", 1, 12, "a program has no floating-point numbers"),
        ("struct a {\n  __u32 x\n};", 3, 1, "`}` is not expected here"),
        ("struct a { foo_t x; };", 1, 12, "the type `foo_t` is not known"),
        ("int f(int x) { return x; }", 1, 5, "`f` is not expected here"),
        ("struct a { __be16 x:4; };", 1, 19, "a bit-field must be an integer, and this is in network order"),
        ("struct a { __u8 x:9; };", 1, 19, "a bit-field of this type has 1 to 8 bits"),
        ("struct a { __u32 x; __u32 x; };", 1, 27, "the member `x` is there twice"),
        ("struct a { __u8 x; };\nstruct a { __u8 y; };", 2, 1, "`struct a` is defined twice"),
        ("#if 1\nstruct a { __u8 x; };", 1, 1, "this `#if` has no `#endif`"),
        ("\n#endif", 2, 1, "`#endif` without `#if`"),
        (" #error no", 1, 2, "#error no"),
        ("#assert x", 1, 1, "`#assert` is not supported"),
        ("struct a { __u8 x[]; __u8 y; };", 1, 17, "an array without a length is only supported at the end"),
        ("struct a { struct b c; };", 1, 21, "the size of this type is not known"),
        ("struct a { __u8 x[N]; };", 1, 19, "the constant `N` is not known"),
        ("struct a { __u8 x[-1]; };", 1, 18, "an array cannot have -1 elements"),
        ("struct a { __u8 x[0x20000000]; };", 1, 1, "this has 536870912 bytes, more than 536870911"),
        ("struct a { struct { __u64 x[4294967295]; } y; };", 1, 12, "this has 34359738360 bytes, more than 536870911"),
        ("struct a { __le16 x; };", 1, 12, "`__le16` is little-endian on every machine"),
        ("struct a { __u8 x; } __attribute__((mode(SI)));", 1, 37, "the attribute `mode` is not supported"),
        ("struct a { __u8 x; ", 1, 19, "the text ends too early"),
        ("enum e { A = 1/0 };", 1, 14, "division by zero"),
        ("enum { A, A };", 1, 11, "the constant `A` is there twice"),
        ("struct a { __u8 copy; };", 1, 17, "a member cannot be called `copy`"),
        ("struct a { __u8 x @ };", 1, 19, "`@` is not expected here"),
        ("#define X (1 << 40)\nstruct a { __u8 x[X]; };", 1, 12, "a shift by 40 is out of range"),
        ("#define X (X + 1)\nstruct a { __u8 x[X]; };", 1, 11, "`X` stands for itself"),
        ("struct a { __u32 x __attribute__((aligned(3))); };", 1, 35, "3 is no alignment"),
        ("#if FOO(1)\n#endif", 1, 5, "the function `FOO` is not known here"),
        ("struct a { short char x; };", 1, 12, "`short char` is no type"),
        ("\nstruct a { __u32 a:20, b:20; } __packed;", 2, 24, "the bit-field `b` does not lie inside"),
        (
            "struct a {\n#ifdef __LITTLE_ENDIAN_BITFIELD\n__u8 x;\n#else\n__u16 x;\n#endif\n};", 1, 1,
            "the layout of `a` depends on the byte order",
        ),
    ],
)  # fmt: skip
def test_c_that_is_not_read(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(CError) as caught:
        c_types(text)
    found = caught.value
    assert (found.line, found.column) == (line, column), str(found)
    assert found.message.startswith(message)


PACKET = f'c = c_types("""{UAPI}""")\n'
# SYN and ACK, 5 words of header.
HEADER = bytes.fromhex("9c40 0050 00000001 00000002 5012 ffff 0000 0000")


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_bit_fields_of_a_packet(target: Target) -> None:
    body = """
    tcp = ctx.data.view(c.tcphdr, 0)
    if tcp is None:
        return SK_DROP
    flags = u32(tcp.syn) + 2 * u32(tcp.ack) + 4 * u32(tcp.fin) + 8 * u32(tcp.doff) + 128 * u32(tcp.res1)
    tcp.doff = 11
    tcp.fin = tcp.syn
    tcp.psh = u16(ctx.hash & 1)
    return i32(flags)
    """
    built = Machine(compiled(program_text(body, before=PACKET)), target)
    packet = bytearray(HEADER)
    assert built.run(packet, hash=3) == 1 + 2 + 8 * 5
    assert packet[12:14] == bytes([0xB0, 0x12 | 1 | 8])
    assert built.run(packet, hash=0) == 1 + 2 + 4 + 8 * 11
    assert packet[12:14] == bytes([0xB0, 0x13])


BITS = '''
c = c_types("""
struct f { __u32 low:12, high:20; __s32 sign:5; _Bool flag:1; __u16 last:9; };
""")
'''


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_bit_fields_of_a_structure(target: Target) -> None:
    body = """
    f = c.f(low=ctx.hash & 0xfff, sign=-3)
    f.high = 0xabcde
    f.last = 300
    f.sign = -5
    f.flag = 1
    if f.high != 0xabcde or f.last != 300 or f.sign != -5 or f.flag != 1:
        return -1
    f.flag = 0
    return i32(f.low) + (1 if f.flag == 0 and f.last == 300 else 0)
    """
    built = Machine(compiled(program_text(body, before=BITS)), target)
    assert built.run(hash=0x1FFF) == 0xFFF + 1


def test_bit_fields_in_ordinary_python() -> None:
    cls = c_types("struct f { __u32 low:12, high:20; __s32 sign:5; };").f
    one = cls(low=5, sign=-3)
    one.high = 0xABCDE
    assert (one.low, one.high, one.sign) == (5, 0xABCDE, -3)
    if sys.byteorder == "little":
        assert one.pack() == (5 | 0xABCDE << 12 | 0x1D << 32).to_bytes(8, "little")


def test_unions() -> None:
    before = 'c = c_types("union word { __u32 whole; __u8 bytes[4]; __be32 wire; };")\n'
    body = "w = c.word(wire=be32(0x01020304))\nreturn i32(w.bytes[0]) * 10 + i32(w.bytes[3])"
    assert returned(body, before) == 14
    with pytest.raises(LayoutError, match="`word` has a union"):
        c_types("union word { __u32 whole; __u8 bytes[4]; };").word().pack()


def test_constants_in_a_program() -> None:
    before = f'c = c_types("""{DECLARATIONS}""")\n'.replace("\\\n", "\\\\\n")
    body = "return c.BUSY if ctx.local_port == c.HTTP_PORT else c.state.DONE"
    assert returned(body, before, local_port=80) == 5
    assert returned(body, before, local_port=81) == 6


def test_structures_of_c_in_maps() -> None:
    policy = compiled(
        'c = c_types("struct key { __be32 address; __be16 port; };")\n'
        "seen = HashMap(key=c.key, value=u64, max_entries=4)\n"
        + program_text("return 1 if c.key(address=ctx.remote_ip4) in seen else 0")
    )
    assert policy.module.maps[0].key == layout_of(c_types("struct key { __be32 address; __be16 port; };").key)


def test_bits_that_may_not_fit() -> None:
    body = "f = c.f()\nf.low = ctx.hash\nf.low = 5000\nf.none = 3\nreturn 0"
    assert body_errors(body, before=BITS) == [
        (2, 9, "`low` has 12 bits (0 to 4095), but this may be 0 to 4294967295"),
        (3, 9, "`low` has 12 bits (0 to 4095), but this may be 5000 to 5000"),
        (4, 1, "`f` has no member `none`"),
    ]


def test_mistakes_are_told_at_their_place_in_the_policy() -> None:
    text = 'c = c_types("""\nstruct a {\n    float x;\n};\n""")\n' + program_text("return 0")
    (found,) = errors(text)
    assert (found.line, found.column, found.message) == (4, 5, "a program has no floating-point numbers")
    assert found.source_line == "    float x;"


def test_mistakes_in_a_text_that_the_policy_computes() -> None:
    before = 'TYPE = "float"\nc = c_types(f"struct a {{ {TYPE} x; }};")\n'
    (found,) = errors(before + program_text("return 0"))
    assert (found.line, found.message) == (
        3, "line 1, column 12 of the C text: a program has no floating-point numbers",
    )  # fmt: skip


def test_a_text_that_is_none() -> None:
    with pytest.raises(TypeError, match="takes C as a string, not int"):
        c_types(3)  # type: ignore[arg-type]


def test_lark_is_imported_only_when_c_is_read() -> None:
    script = (
        "import sys, skverdict.dsl as d; assert 'lark' not in sys.modules; "
        "d.c_types(''); assert 'lark' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
