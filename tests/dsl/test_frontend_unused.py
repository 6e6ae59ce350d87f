"""Functions that nothing calls are checked, too; and names that were not imported are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.dsl import Diagnostic, PolicyError, load_policy

from tests.dsl.policy_kit import compiled, errors, program_text

WRONG = {
    "@inline\ndef f(a: u32) -> u8:\n    return a\n": "a u8 is needed here, but this is a u32",
    "@subprogram\ndef f(a: u32) -> u32:\n    return b\n": "unknown name `b`",
    "@subprogram\ndef f(a: u32) -> u32:\n    a += 1\n": "`f` can end without a return value",
    "@inline\ndef f(skb: SkSkb) -> u32:\n    return skb.nothing\n": "`SkSkb` has no `nothing`",
    "@inline\ndef f(a: u8 | None) -> u8:\n    return a\n": "`a` may be None here",
    "@inline\ndef f(k: Key | None) -> u32:\n    return k.a\n": "`k` may be None here",
    "@inline\ndef f(a: 'nothing'):\n    pass\n": "unknown name `nothing` in a type",
    "@inline\ndef f(*a: u32):\n    pass\n": "`*a` is not supported",
}
KEY = "class Key(Struct):\n    a: u32\n"


@pytest.mark.parametrize("function", WRONG)
def test_the_errors_of_a_function_that_nothing_calls(function: str) -> None:
    (found,) = errors(program_text("return 0", before=KEY + function))
    assert found.message == WRONG[function]


RIGHT = (
    "@inline\ndef f(a):\n    return a + nothing\n",
    "@inline\ndef f(msg: SkMsg) -> i32:\n    msg.apply_bytes(3)\n    return 0\n",
    "@inline\ndef f(k: Key, a: u32 = 3, *, b: be16) -> u32:\n    a += k.a\n    return a + b.host()\n",
    "@inline\ndef f(k: Key) -> Key:\n    return k.copy()\n",
    "@inline\ndef f(sk: Sock, p: Cell[u32]):\n    p.value = sk.family\n",
)


@pytest.mark.parametrize("function", RIGHT)
def test_functions_that_nothing_calls_may_be_right(function: str) -> None:
    assert [each.name for each in compiled(program_text("return 0", before=KEY + function)).module.functions] == [
        "program"
    ]


def refused(folder: Path, text: str) -> Diagnostic:
    path = folder / "policy.py"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    return caught.value.diagnostics[0]


PROGRAM = "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return 0\n"
IMPORTS = {
    PROGRAM: ("unknown name `skb_verdict`", "write `from skverdict.dsl import skb_verdict`"),
    "from skverdict.dsl import *\n" + PROGRAM.replace("0", "i32(bpf_ktime_get_ns())"): (
        "unknown name `bpf_ktime_get_ns`",
        "write `from skverdict.dsl.helpers import bpf_ktime_get_ns`",
    ),
    "from skverdict.dsl import SkSkb, i32, skb_verdict\n" + PROGRAM.replace("0", "SK_PASS"): (
        "unknown name `SK_PASS`",
        "write `from skverdict.dsl import SK_PASS`",
    ),
    "from skverdict.dsl import SkSkb, i32, skb_verdict\n" + PROGRAM.replace("0", "SK_PAS"): (
        "unknown name `SK_PAS`",
        "did you mean `SK_PASS`? It is not imported yet.",
    ),
    "from skverdict.dsl import SkSkb, skb_verdict\nfrom __future__ import annotations\n" + PROGRAM: (
        "syntax error: from __future__ imports must occur at the beginning of the file",
        "",
    ),
    "from __future__ import annotations\nfrom skverdict.dsl import SkSkb, skb_verdict\n" + PROGRAM: (
        "unknown name `i32` in a type",
        "write `from skverdict.dsl import i32`",
    ),
    "from skverdict.dsl import bpf_ktime_get_ns\n": (
        "cannot import name 'bpf_ktime_get_ns' from 'skverdict.dsl'",
        "write `from skverdict.dsl.helpers import bpf_ktime_get_ns`",
    ),
    "from skverdict.dsl.helpers import SkSkb\n": (
        "cannot import name 'SkSkb' from 'skverdict.dsl.helpers'",
        "write `from skverdict.dsl import SkSkb`",
    ),
}


@pytest.mark.parametrize("text", IMPORTS)
def test_what_to_import_is_told(text: str, tmp_path: Path) -> None:
    found = refused(tmp_path, text)
    assert (found.message, found.hint) == IMPORTS[text]


RAISING = {
    "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E": "E: E",
    "class E(TypeError):\n    def __str__(self):\n        return 3\nraise E": "E",
    "class E(Exception):\n    def __getattr__(self, name):\n        raise ValueError\nraise E('x')": "E: x",
    "e = NameError('x')\ne.name = 3\nraise e": "NameError: x",
    "raise SyntaxError('x', (3, 'a', [], {}))": "SyntaxError: x",
    "raise SyntaxError('x', ('y.py', -3, [], {}))": "syntax error: x",
    "raise ImportError(\"a 'b' c 'd'\")": "a 'b' c 'd'",
    "raise ValueError('x' * 5000)": "ValueError: " + "x" * 2000,
}


@pytest.mark.parametrize("text", RAISING)
def test_whatever_a_module_raises_is_told(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text).message == RAISING[text]


@pytest.mark.parametrize("name", ["sockops", "sk_msg", "license"])
def test_a_function_cannot_be_called_like_a_section(name: str) -> None:
    (found,) = errors(f"@sock_ops\ndef {name}(ctx: SockOps) -> i32:\n    return 0\n")
    assert (found.message, found.hint) == (f"a program cannot be called `{name}`", "object files use that name")
