"""Each rule of a well-formed module, by a module that breaks it and no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.dsl.ir.check import IrError, check_module
from skverdict.dsl.ir.dominance import dominates, dominators
from skverdict.dsl.ir.module import Block, Module, Operation, Value
from skverdict.dsl.ir.operations import OPERATIONS
from skverdict.dsl.ir.text import parse_module
from skverdict.dsl.ir.types import U16, U32, U64, Int, Member, Struct

from tests.dsl.ir_modules import graph_dominators

DECLARATIONS = """\
policy "p.py" license "GPL"
struct Key size 8 align 4 {
  +0 address: be32
  +4 port: u32
}
struct kernel_part size 4 align 2 {
  +0 ports: [be16; 2]
}
struct kernel_object size 16 align 8 {
  +0 part: struct kernel_part
  +8 next: ptr?<object kernel_object>
}
map @sockets: sockhash key struct Key value u64 entries 4
map @counts: hash key u32 value u64 entries 4
map @queue: queue value u64 entries 4
global @last: struct Key = 1, 2
constant @limit: u64
subprogram @sub(%0 a: u32, %1 p: ptr?<map_value u64>) -> u32 {
^entry:
  return %0
}
subprogram @quiet() -> void {
^entry:
  return
}
"""
BODY = """\
  local $n: u32
  local $key: struct Key
  local $words: [u32; 4]
  local $p: ptr?<map_value u64>
  local $m: ptr<map bpf_map>
  local $object: ptr<object kernel_object>
^entry:
  %1: u32 = const 1
  %2: bool = const 1
  %3: i32 = const 0
  %4: be32 = const 5
  %5: u64 = const 6
  %6: ptr<map bpf_map> = map @counts
  %7: ptr<stack u32> = local.address $n
  %8: ptr<stack struct Key> = local.address $key
  %9: ptr?<map_value u64> = call.helper @bpf_map_lookup_elem, %6, %7
  %10: ptr<map_value u64> = assume_non_null %9
  %11: ptr<map bpf_map> = map @sockets
  %12: ptr<stack [u32; 4]> = local.address $words
  %13: ptr<stack be32> = member %8, .address
  %60: ptr<object kernel_object> = local.get $object
"""


def program(
    lines: str, kind: str = "stream_verdict", context: str = "__sk_buff", end: str = "return %3"
) -> str:
    """The declarations, and a program with `lines` behind the values that they may use."""
    body = "".join(f"  {line}\n" for line in lines.splitlines())
    head = f"{kind} @verdict(%0 skb: ptr<context {context}>) -> i32 {{\n"
    return f"{DECLARATIONS}{head}{BODY}{body}  {end}\n}}\n"


GOOD = """\
%20: u32 = add %1, %1
%21: bool = eq %4, %4
%22: bool = lt %3, %3
%23: bool = not %2
%24: u8 = convert %2
%25: be32 = swap %1
%26: i32 = reinterpret %4
%27: be32 = select %2, %4, %4
%28: ptr?<map_value u64> = local.get $p
local.set $p, %9
local.set $n, %1
local.zero $words
%29: ptr<stack u32> = element %12, %1
%41: ptr<stack be16> = part %12, offset=14
%42: ptr<stack [u8; 3]> = part %12, %1, offset=1
%43: u8 = const.order little=4, big=0
%30: u32 = load %29
store %13, %4
copy %8, %8
%31: be32 = context.load %0, .remote_ip6.3
%32: ptr?<socket sock_common> = context.load %0, .sk
context.store %0, .priority, %1
%33: ptr?<packet struct Key> = packet.view %0, %1, offset=4, limit=100
%34: bool = is_null %33
%35: u32 = call @sub, %1, %10
call @sub, %1, %9
call @quiet
call.helper @bpf_get_prandom_u32
%40: ptr<map bpf_map> = local.get $m
call.helper @bpf_map_delete_elem, %40, %8
%36: i64 = call.helper @bpf_sk_redirect_hash, %0, %11, %8, %5
%37: i64 = call.helper @bpf_map_update_elem, %6, %7, %10, %5
%50: ptr<map_value struct Key> = global @last
%51: ptr<function function> = function @quiet
%52: ptr<map_value [u8; 5]> = string text="GET "
%53: ptr<map_value u64> = global @limit
%54: u64 = atomic.add %53, %5
atomic.exchange %53, %5
%55: u64 = atomic.compare_exchange %53, %5, %5
%56: ptr?<stack u32> = null
%57: ptr?<stack u32> = or_null %2, %7
%58: ptr<socket sock_common> = assume_non_null %32
%59: be32 = socket.load %58, .src_ip6.1
%61: be16 = kernel.load %60, .part.ports.1
%62: ptr?<object kernel_object> = kernel.load %60, .next
%63: u64 = kernel.address %60, .part.ports
%64: bool = kernel.exists %60, .part"""


def test_a_module_that_keeps_every_rule_is_accepted() -> None:
    check_module(parse_module(program(GOOD)))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        # Words of the row.
        ("%20: u32 = add %1", "takes 2 operands, not 1"),
        ("%20: u32 = add %1, %1, %1", "takes 2 operands, not 3"),
        ("%20: u32 = packet.view offset=1, limit=1", "takes 1 or more operands, not 0"),
        ("%20: u32 = add %1, %3", "operand 1 is i32, but operand 0 is u32"),
        ("%20: be32 = add %4, %4", "operand 0 is be32, not an integer"),
        ("%20: i32 = add %1, %1", "its result is i32, but its operands are u32"),
        ("%20: u32 = eq %1, %1", "its result is u32, not a bool"),
        ("%20: bool = eq %7, %7", "operand 0 is ptr<stack u32>, not a scalar"),
        ("%20: bool = not %1", "operand 0 is u32, not a bool"),
        ("%20: u8 = convert %4", "operand 0 is be32, not an integer or a bool"),
        ("%20: be32 = convert %1", "its result is be32, not an integer"),
        ("%20: u32 = select %2, %1, %3", "operand 2 is i32, but operand 1 is u32"),
        ("add %1, %1", "its result is missing"),
        ("%20: u32 = store %7, %1", "has no result to give"),
        ("%20: void = call @quiet", "void has no size"),
        ("%20: bool = is_null %1", "operand 0 is u32, not a pointer"),
        ("%20: u64 = load %9", "operand 0 is ptr?<map_value u64>, not a non-null pointer"),
        ("%20: u32 = context.load %7, .len", "operand 0 is ptr<stack u32>, not a non-null context pointer"),
        ("%20: ptr<packet u32> = packet.view %0, offset=0, limit=0", "but may be NULL"),
        # Attributes.
        ("%20: u32 = const", "attribute value is missing"),
        ("%20: u32 = const 1, offset=1", "attribute offset means nothing here"),
        ("%20: u32 = const value=one", "attribute value is not of kind int"),
        ("local.zero local=1", "attribute local is not of kind name"),
        # Numbers and byte order.
        ("%20: u8 = const 256", "256 is no u8"),
        ("%20: i8 = const -129", "-129 is no i8"),
        ("%20: bool = const 2", "2 is no bool"),
        ("%20: be16 = const 65536", "65536 is no be16"),
        ("%20: bool = swap %2", "a bool has no byte order"),
        ("%20: u32 = swap %1", "one of them is to be in network order"),
        ("%20: be32 = reinterpret %4", "one of them is to be in network order"),
        ("%20: be64 = swap %1", "u32 and be64 differ in width"),
        # Locals.
        ("%20: u32 = local.get $none", "there is no local none"),
        ("%20: u64 = local.get $n", "its result is u64, but local n is u32"),
        ("local.set $n, %5", "operand 0 is u64, but local n is u32"),
        ("%20: [u32; 4] = local.get $words", "which only its address can reach"),
        ("%20: ptr<stack u32> = local.address $none", "there is no local none"),
        ("%20: ptr<stack u64> = local.address $n", "its result is ptr<stack u64>, not ptr<stack u32>"),
        ("%20: ptr<packet u32> = local.address $n", "not ptr<stack u32>"),
        ("%20: ptr<stack u32> = local.address $p", "holds a pointer, which has no address"),
        ("local.zero $none", "there is no local none"),
        # Memory.
        ("%20: ptr<stack u32> = member %8, .host", "struct Key has no member host"),
        ("%20: ptr<stack u32> = member %7, .port", "u32 has no member port"),
        ("%20: ptr<packet u32> = member %8, .port", "its result is ptr<packet u32>, not ptr<stack u32>"),
        ("%20: ptr<stack u32> = element %7, %1", "u32 has no elements"),
        ("%20: ptr<stack u16> = element %12, %1", "not ptr<stack u32>"),
        ("%20: ptr<stack u32> = element %12, %4", "operand 1 is be32, not an integer"),
        ("%20: ptr<stack be16> = part %12, offset=15", "2 bytes at 15 are outside of [u32; 4]"),
        ("%20: ptr<packet be16> = part %12, offset=1", "not a pointer into stack memory"),
        ("%20: ptr<stack u8> = part %7, offset=0", "u32 has no parts"),
        ("%20: ptr<stack u8> = part %12, %3, offset=0", "at most one unsigned integer"),
        ("%20: u8 = const.order little=1, big=256", "256 is no u8"),
        ("%20: u16 = load %7", "its result is u16, but the pointer is to u32"),
        ("%20: struct Key = load %8", "its result is struct Key, which is no scalar"),
        ("store %7, %5", "operand 1 is u64, but the pointer is to u32"),
        ("copy %8, %12", "copies [u32; 4] to struct Key"),
        ("copy %6, %6", "bpf_map has no size"),
        ("%20: ptr<stack u32> = assume_non_null %9", "not ptr<map_value u64>"),
        ("%20: ptr<map bpf_map> = map @none", "there is no map none"),
        ("%20: ptr<map_value u64> = map @counts", "not a map pointer"),
        ("%20: ptr<map_value u64> = global @none", "there is no global none"),
        ("%20: ptr<map_value u32> = global @limit", "not ptr<map_value u64>"),
        ("%20: ptr<function function> = function @none", "there is no function none"),
        ("%20: ptr<function function> = function @verdict", "verdict is a program of its own"),
        ("%20: ptr<function f> = function @quiet", "not ptr<function function>"),
        ('%20: ptr<map_value [u8; 4]> = string text="GET "', "not ptr<map_value [u8; 5]>"),
        ('%20: ptr<map_value [u8; 3]> = string text="G\\u0000"', "a string ends at its first NUL"),
        ('%20: ptr<map_value [u8; 3]> = string text="\\ud800"', "it is no UTF-8"),
        ("atomic.add %7, %5", "operand 1 is u64, but the pointer is to u32"),
        ("%20: u64 = atomic.add %7, %1", "its result is u64, not u32"),
        ("atomic.add %8, %1", "operand 1 is u32, but the pointer is to struct Key"),
        ("atomic.add %13, %4", "be32 cannot be changed atomically"),
        ("%20: ptr<stack u32> = null", "but may be NULL"),
        ("%20: ptr?<stack u64> = or_null %2, %7", "not ptr?<stack u32>"),
        # Context and packet.
        ("%20: u32 = context.load %0, .length", "__sk_buff has no field length"),
        ("%20: u32 = context.load %0, .mark", "a stream_verdict cannot read field mark"),
        ("%20: u32 = context.load %0, .remote_port", "its result is u32, not be32"),
        ("%20: be32 = context.load %0, .remote_ip6", "has elements remote_ip6.0 to remote_ip6.3"),
        ("%20: be32 = context.load %0, .remote_ip6.4", "field remote_ip6 has elements"),
        ("%20: u32 = context.load %0, .len.0", "field len has no elements"),
        ("%20: u32 = context.load %0, .data", "field data bounds the packet, which packet.view reads"),
        ("%20: u64 = context.load %0, .sk", "not a socket pointer"),
        ("%20: ptr<socket bpf_sock> = context.load %0, .sk", "but may be NULL"),
        ("context.store %0, .len, %1", "a stream_verdict cannot write field len"),
        ("context.store %0, .priority, %5", "operand 1 is u64, but field priority is u32"),
        ("context.store %0, .priorty, %1", "has no field priorty"),
        ("%20: u32 = socket.load %0, .family", "ptr<context __sk_buff> has no fields"),
        ("%20: ptr?<packet u32> = packet.view %0, %5, offset=0, limit=0", "a context and at most one u32"),
        ("%20: ptr?<packet u32> = packet.view %0, offset=-1, limit=0", "offset -1 is no u32"),
        ("%20: ptr?<stack u32> = packet.view %0, offset=0, limit=0", "not a pointer to packet bytes"),
        # Structures of the kernel.
        ("%20: be16 = kernel.load %60, .part.ports.2", "has elements 0 to 1, not 2"),
        ("%20: be16 = kernel.load %60, .part.port", "struct kernel_part has no member port"),
        ("%20: u16 = kernel.load %60, .part.ports.1", "its result is u16, not be16"),
        ("%20: be16 = kernel.load %60, .part", "struct kernel_part is more than can be read at once"),
        ("%20: ptr<object kernel_object> = kernel.load %60, .next", "not ptr?<object kernel_object>"),
        ("%20: be16 = kernel.load %8, .address", "leads to no structure of the kernel that is declared"),
        ("%20: u32 = kernel.address %60, .part", "its result is u32, not u64"),
        ("%20: bool = kernel.exists %60, .nothing", "struct kernel_object has no member nothing"),
        # Helpers.
        ("call.helper @bpf_magic", "there is no helper bpf_magic"),
        ("call.helper @bpf_msg_apply_bytes, %0, %1", "a stream_verdict cannot call bpf_msg_apply_bytes"),
        ("call.helper @bpf_skb_pull_data, %0", "bpf_skb_pull_data takes 2 arguments, not 1"),
        ("call.helper @bpf_skb_pull_data, %0, %1, %1", "bpf_skb_pull_data takes 2 arguments, not 3"),
        ("call.helper @bpf_trace_printk, %7", "bpf_trace_printk takes 2 arguments, not 1"),
        ("call.helper @bpf_trace_printk, %7, %1, %1, %1, %1, %1", "takes 5 arguments, not 6"),
        ("call.helper @bpf_trace_printk, %7, %1, %4", "argument args is be32, not of kind varargs"),
        ("call.helper @bpf_skb_pull_data, %0, %7", "argument len is ptr<stack u32>, not of kind scalar"),
        ("call.helper @bpf_skb_pull_data, %1, %1", "argument skb is u32, not of kind context"),
        ("call.helper @bpf_map_lookup_elem, %7, %7", "argument map is ptr<stack u32>, not of kind map"),
        ("call.helper @bpf_spin_lock, %1", "argument lock is u32, not of kind spin_lock"),
        ("call.helper @bpf_map_lookup_elem, %6, %9", "argument key may be NULL"),
        ("call.helper @bpf_map_lookup_elem, %6, %8", "points to struct Key, but map counts has u32"),
        ("call.helper @bpf_sk_redirect_hash, %0, %6, %7, %5", "does not work on a hash"),
        ("call.helper @bpf_map_delete_elem, %11, %8", "cannot call bpf_map_delete_elem on a sockhash"),
        ("%20: u64 = call.helper @bpf_get_prandom_u32", "its result is u64, not u32"),
        ("%20: u64 = call.helper @bpf_map_lookup_elem, %6, %7", "its result is u64, not of kind map_value"),
        ("%20: ptr<map_value u64> = call.helper @bpf_map_lookup_elem, %6, %7", "but may be NULL"),
        ("%20: ptr?<stack u64> = call.helper @bpf_map_lookup_elem, %6, %7", "not of kind map_value"),
        # Subprograms.
        ("call @none", "there is no function none"),
        ("%20: i32 = call @verdict, %0", "verdict is a program of its own"),
        ("%20: u32 = call @sub, %1", "sub takes 2 arguments, not 1"),
        ("%20: u32 = call @sub, %3, %9", "argument a is i32, not u32"),
        ("%20: u32 = call @sub, %1, %7", "argument p is ptr<stack u32>, not ptr?<map_value u64>"),
        ("%20: u64 = call @sub, %1, %9", "its result is u64, not u32"),
        ("%20: u32 = call @quiet", "its result is u32, not void"),
        # Values.
        ("%20: u32 = add %21, %1\n%21: u32 = add %1, %1", "%21 is used before it is defined"),
        # Types.
        ("%20: u24 = const 1", "u24 has no size"),
        ("%20: ptr<socket u32> = assume_non_null %9", "the kernel's objects are known by name only"),
        ("%20: ptr<context task> = assume_non_null %9", "there is no context task"),
        ("%20: ptr<stack ptr<stack u32>> = assume_non_null %9", "cannot lie in memory"),
        ("%20: ptr<stack [u32; 0]> = assume_non_null %9", "an array of 0 elements"),
    ],
)
def test_an_operation_that_breaks_a_rule_is_refused(line: str, problem: str) -> None:
    with pytest.raises(IrError) as caught:
        check_module(parse_module(program(line)))
    assert problem in caught.value.problem
    assert caught.value.function == "verdict"
    assert caught.value.block == "entry"


@pytest.mark.parametrize(
    ("kind", "context", "line", "problem"),
    [
        ("msg_verdict", "sk_msg_md", "%20: ptr?<socket sk> = context.load %0, .sk", "but cannot be NULL"),
        ("sock_ops", "bpf_sock_ops", "call.helper @bpf_map_lookup_elem, %11, %8", "on a sockhash"),
        ("sock_ops", "bpf_sock_ops", "context.store %0, .op, %1", "a sock_ops cannot write field op"),
    ],
)
def test_rules_of_one_program_kind(kind: str, context: str, line: str, problem: str) -> None:
    with pytest.raises(IrError, match=problem):
        check_module(parse_module(program(line, kind, context)))


@pytest.mark.parametrize(
    ("kind", "context", "line"),
    [
        ("msg_verdict", "sk_msg_md", "%20: ptr<socket bpf_sock> = context.load %0, .sk"),
        ("sock_ops", "bpf_sock_ops", "context.store %0, .reply, %1"),
        ("sock_ops", "bpf_sock_ops", "call.helper @bpf_map_delete_elem, %11, %8"),
    ],
)
def test_what_only_one_program_kind_may_do(kind: str, context: str, line: str) -> None:
    check_module(parse_module(program(line, kind, context)))


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        ("return", "returns nothing from a function that gives i32"),
        ("return %1", "returns u32 from a function that gives i32"),
        ("return %3, %3", "returns i32, i32 from"),
        ("jump ^a, ^a\n^a:\n  return %3", "takes 1 labels, not 2"),
        ("branch %2, ^a\n^a:\n  return %3", "takes 2 labels, not 1"),
        ("branch %1, ^a, ^a\n^a:\n  return %3", "operand 0 is u32, not a bool"),
        ("switch %1\n^a:\n  return %3", "takes 1 or more labels, not 0"),
        ("switch %4, ^a\n^a:\n  return %3", "operand 0 is be32, not an integer"),
        ("switch %1, ^a, ^a\n^a:\n  return %3", "attribute case0 is missing"),
        ("switch %1, ^a, case0=1\n^a:\n  return %3", "attribute case0 means nothing here"),
        ("switch %1, ^a, -1: ^a\n^a:\n  return %3", "case -1 is no u32"),
        ("switch %1, ^a, 1: ^a, 1: ^a\n^a:\n  return %3", "case 1 stands there twice"),
        ("jump ^b", "jump goes to b, which is no block"),
        ("jump ^a\n^a:\n  jump ^entry", "jump goes back to the first block"),
        ("return %3\n  return %3", "return is not the last operation"),
        ("%20: u32 = const 1", "the last operation, const, is no terminator"),
        ("return %3\n^a:", "there are no operations"),
        ("return %3\n^entry:\n  return %3", "block entry is declared twice"),
        (
            "branch %2, ^a, ^b\n^a:\n  %20: u32 = const 1\n  jump ^b\n"
            "^b:\n  %21: u32 = add %20, %20\n  return %3",
            "%20 is not defined on every path here",
        ),
        (
            "return %3\n^a:\n  %20: u32 = const 1\n  jump ^b\n^b:\n  jump ^a\n^c:\n  jump ^a",
            "",
        ),
        ("jump ^a\n^dead:\n  %20: i32 = const 1\n  jump ^a\n^a:\n  return %20", "%20 is not defined on"),
    ],
)
def test_blocks_and_their_ends(end: str, problem: str) -> None:
    module = parse_module(program("", end=end))
    if not problem:
        check_module(module)
        return
    with pytest.raises(IrError) as caught:
        check_module(module)
    assert problem in caught.value.problem


def test_a_value_may_be_used_wherever_its_block_dominates_also_above_it_in_the_text() -> None:
    end = "jump ^b\n^a:\n  %21: u32 = add %20, %20\n  return %3\n^b:\n  %20: u32 = const 1\n  jump ^a"
    check_module(parse_module(program("", end=end)))


HEAD = 'policy "p.py" license "GPL"\n'
VERDICT = """\
stream_verdict @v(%0 skb: ptr<context __sk_buff>) -> i32 {
^e:
  %1: i32 = const 0
  return %1
}
"""
ARRAY = "array key u32 value u32 entries 1"
OUTER = f"map @m: array_of_maps key u32 value u32 entries 4 inner ({ARRAY})"
JUMPS = "map @j: prog_array key u32 value u32 entries 4"
SIX = ", ".join(f"%{number} p{number}: u32" for number in range(6))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("struct A size 6 align 4 {\n}\n", "struct A: 6 bytes cannot be aligned to 4"),
        ("struct A size 6 align 3 {\n}\n", "struct A: 6 bytes cannot be aligned to 3"),
        ("struct A size -4 align 4 {\n}\n", "struct A: -4 bytes cannot be aligned"),
        ("struct A size 4 align 4 {\n+2 x: u32\n}\n", "struct A: member x lies outside the 4 bytes"),
        ("struct A size 4 align 4 {\n+0 x: u16\n+2 x: u16\n}\n", "struct A: member x is declared twice"),
        ("struct A size 8 align 8 {\n+0 x: ptr<stack u32>\n}\n", "x: ptr<stack u32> cannot lie in memory"),
        ("struct A size 8 align 8 {\n+0 x: [ptr<stack u32>; 1]\n}\n", "cannot lie in memory"),
        ("struct A size 8 align 8 {\n+0 x: sk_buff\n}\n", "sk_buff has no size"),
        ("struct A size 4 align 4 {\n+0 x.y: u32\n}\n", "member x.y: 'x.y' is no C identifier"),
        ('struct "A B" size 4 align 4 {\n}\n', "'A B' is no C identifier"),
        ('map @"a-b": hash key u32 value u32 entries 1\n', "'a-b' is no C identifier"),
        ("map @m: hsah key u32 value u32 entries 1\n", "map m: there is no map kind hsah"),
        ("map @m: hash value u32 entries 1\n", "map m: a hash has a key"),
        ("map @m: queue key u32 value u32 entries 1\n", "map m: a queue has no key"),
        ("map @m: ringbuf value u32 entries 4096\n", "map m: a ringbuf has no value"),
        ("map @m: array key u64 value u32 entries 1\n", "map m: a key of 8 bytes"),
        ("map @m: sockmap key u32 value u16 entries 1\n", "map m: a value of 2 bytes"),
        ("map @m: sockhash key [u64; 65] value u64 entries 1\n", "map m: a key of 520 bytes"),
        ("map @m: hash key u32 value ptr<stack u8> entries 1\n", "value: ptr<stack u8> cannot lie in memory"),
        ("map @m: hash key u32 value void entries 1\n", "value: void has no size"),
        ("map @m: sockmap key u32 value u64 entries 1 flags 1\n", "a sockmap cannot have flags 0x1"),
        ("map @m: lpm_trie key u64 value u64 entries 1\n", "a lpm_trie cannot have flags 0x0"),
        ("map @m: hash key u32 value u32 entries 0\n", "a hash cannot have 0 entries"),
        ("map @m: hash key u32 value u32 entries 4294967296\n", "a hash cannot have 4294967296 entries"),
        ("map @m: ringbuf entries 5000\n", "a ringbuf cannot have 5000 entries"),
        ("map @m: sk_storage key u32 value u32 entries 1 flags 1\n", "a sk_storage cannot have 1 entries"),
        ("map @m: hash key u32 value u32 entries 1\n" * 2, "map, global or function m is declared twice"),
        (VERDICT * 2, "map, global or function v is declared twice"),
        ("global @v: u8\n" + VERDICT, "map, global or function v is declared twice"),
        ("global @g: void\n", "global g: void has no size"),
        ("global @g: u8 = 256\n", "global g: 256 is no u8"),
        ("global @g: [u8; 2] = 1\n", "global g: 1 numbers for the 2 of [u8; 2]"),
        ("map @m: array_of_maps key u32 value u32 entries 1\n", "a array_of_maps holds maps"),
        (f"map @m: hash key u32 value u32 entries 1 inner ({ARRAY})\n", "a hash cannot hold maps"),
        (f"{OUTER[:-1]} flags 1)\n", "inner map: a array cannot have flags 0x1"),
        (f"{OUTER} initial 4: @a\nmap @a: {ARRAY}\n", "map m: entry 4 is outside of its 4"),
        (f"{OUTER} initial 0: @a, 0: @a\nmap @a: {ARRAY}\n", "map m: entry 0 is declared twice"),
        (f"{OUTER} initial 0: @b\n", "map m: b cannot be an entry"),
        (f"{JUMPS} initial 0: @b\n" + VERDICT, "map j: b cannot be an entry"),
        (
            f"{JUMPS} initial 0: @v, 1: @w\n{VERDICT}" + VERDICT.replace("verdict @v", "parser @w"),
            "map j: its programs are of more than one kind",
        ),
        (VERDICT.replace("stream_verdict", "xdp"), "there is no program kind xdp"),
        (VERDICT.replace("__sk_buff", "sk_msg_md"), "a stream_verdict takes ptr<context __sk_buff>"),
        (VERDICT.replace("ptr<", "ptr?<"), "a stream_verdict takes ptr<context __sk_buff>"),
        (VERDICT.replace("-> i32", "-> void"), "a stream_verdict gives an integer, not void"),
        (VERDICT.replace("skb:", '"s k":'), "'s k' is no C identifier"),
        (VERDICT.replace("^e:", "local $a: u8\nlocal $a: u8\n^e:"), "local a is declared twice"),
        (VERDICT.replace("^e:", "local $a: void\n^e:"), "void has no size"),
        (f"subprogram @f({SIX}) -> u32 {{\n^e:\n  return %0\n}}\n", "6 parameters, but there are"),
        ("subprogram @f(%0 a: u32, %1 a: u32) -> void {\n^e:\n  return\n}\n", "a is declared twice"),
        ("subprogram @f() -> sock {\n^e:\n  return\n}\n", "sock has no size"),
        ("subprogram @f() -> void {\n}\n", "there are no blocks"),
        (
            "subprogram @f() -> void {\n^e:\n  call @g\n  return\n}\n"
            "subprogram @g() -> void {\n^e:\n  call @f\n  return\n}\n" + VERDICT,
            "recursion among f, g",
        ),
    ],
)
def test_declarations(text: str, problem: str) -> None:
    with pytest.raises(IrError) as caught:
        check_module(parse_module(HEAD + text))
    assert problem in str(caught.value)


def test_the_message_names_function_block_and_operation() -> None:
    with pytest.raises(IrError) as caught:
        check_module(parse_module(program("%20: u32 = add %1, %3")))
    assert str(caught.value) == (
        "function @verdict, block ^entry, operation 14 (add): operand 1 is i32, but operand 0 is u32"
    )


def with_first_operation(operation: Operation) -> Module:
    module = parse_module(program(""))
    module.functions[-1].blocks[0].operations.insert(-1, operation)
    return module


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (Operation("teleport"), "there is no such operation"),
        (Operation("not", (Value(99, U32),), {}, Value(100, U32)), "%99 is not defined"),
        (Operation("convert", (Value(1, U16),), {}, Value(100, U32)), "%1 is used as u16, but is u32"),
        (Operation("const", (), {"value": 1}, Value(1, U32)), "%1 is defined twice"),
        (Operation("const", (), {"value": 1}, Value(100, Int(24, signed=False))), "there is no type u24"),
    ],
)
def test_what_no_text_can_say_is_refused_as_well(operation: Operation, problem: str) -> None:
    with pytest.raises(IrError) as caught:
        check_module(with_first_operation(operation))
    assert problem in caught.value.problem


def test_a_struct_must_be_the_declared_one() -> None:
    module = parse_module(program(""))
    module.structs = [module.structs[0]._replace(members=(Member("address", U64, 0),))]
    with pytest.raises(IrError, match="struct Key is not declared, or not like this"):
        check_module(module)


def test_types_that_nest_too_deep_are_refused() -> None:
    struct = Struct("S0", (Member("x", U32, 0),), 4, 4)
    structs = [struct]
    for number in range(1, 1000):
        struct = Struct(f"S{number}", (Member("x", struct, 0),), 4, 4)
        structs.append(struct)
    with pytest.raises(IrError, match="types nest more than 64 deep"):
        check_module(Module("p", "GPL", structs))


def test_a_long_chain_of_blocks_is_checked_without_deep_recursion() -> None:
    module = parse_module(HEAD + VERDICT)
    function = module.functions[0]
    end = function.blocks[0]
    links = [Operation("jump", successors=(f"b{number + 1}",)) for number in range(3000)]
    blocks = [Block(f"b{number}", [link]) for number, link in enumerate(links)]
    function.blocks = [*blocks, Block("b3000", end.operations)]
    check_module(module)


def test_every_operation_has_a_word_for_each_operand_that_the_check_knows() -> None:
    # A row with an unknown word would end in a KeyError: give each operation operands that pass as anything.
    for row in OPERATIONS.values():
        operation = Operation(row.name, (Value(3, Int(32, signed=True)),) * len(row.operands))
        with pytest.raises(IrError):
            check_module(with_first_operation(operation))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=8, max_size=8))
def test_dominators_are_what_taking_each_block_away_shows(graph: list[list[int]]) -> None:
    expected = graph_dominators(graph)
    labelled = {str(block): [str(after) for after in afters] for block, afters in enumerate(graph)}
    immediate = dominators(labelled, "0")
    for block in range(8):
        above = expected[block]
        assert (str(block) in immediate) == (above is not None)
        if above is not None:
            assert {other for other in range(8) if dominates(immediate, str(other), str(block))} == above


def test_a_check_changes_nothing() -> None:
    module = parse_module(program(GOOD))
    check_module(module)
    assert module == parse_module(program(GOOD))
