"""What cannot even be read, parsed or run as Python ends in one clear PolicyError."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from skverdict.dsl import Diagnostic, PolicyError, load_policy

from tests.dsl.policy_kit import PRELUDE, compiled, errors

GOOD = PRELUDE + "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return SK_PASS\n"


def refused(path: Path) -> Diagnostic:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    (found,) = caught.value.diagnostics
    return found


def written(folder: Path, content: bytes, name: str = "policy.py") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = refused(tmp_path / "none.py")
    assert found.message == "cannot be read: No such file or directory"
    assert str(found) == f"{tmp_path / 'none.py'}: error: cannot be read: No such file or directory"


def test_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).message == "cannot be read: Is a directory"


def test_a_name_with_a_nul_byte() -> None:
    assert refused(Path("a\0b.py")).message.startswith("cannot be read: ")


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    found = refused(written(tmp_path, GOOD.encode() + b"x = '\xff'\n"))
    assert (found.line, found.message) == (5, "byte 0xff is not UTF-8")


def test_another_encoding_is_not_taken(tmp_path: Path) -> None:
    found = refused(written(tmp_path, b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"))
    assert (found.line, found.message) == (2, "byte 0xe9 is not UTF-8")


def test_a_nul_byte(tmp_path: Path) -> None:
    found = refused(written(tmp_path, GOOD.encode() + b"\0"))
    assert (found.line, found.message) == (5, "there is a NUL byte in the file")


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())).module.functions


def test_line_ends_of_other_systems(tmp_path: Path) -> None:
    text = GOOD.replace("return SK_PASS", "return nonsense")
    for ending in ("\r\n", "\r"):
        found = refused(written(tmp_path, text.replace("\n", ending).encode()))
        assert (found.line, found.column, found.source_line) == (4, 12, "    return nonsense")


def test_an_empty_file(tmp_path: Path) -> None:
    assert refused(written(tmp_path, b"")).message == "there is no program in this file"


def test_syntax_errors_tell_their_place(tmp_path: Path) -> None:
    found = refused(written(tmp_path, b"x = 1\nif x\n    pass\n"))
    assert found.line == 2
    assert found.message.startswith("syntax error: ")
    assert found.source_line == "if x"


@pytest.mark.parametrize("text", ["(" * 100_000, "x = " + "-" * 100_000 + "1", "[" * 5000 + "]" * 5000])
def test_code_that_is_nested_too_deeply(tmp_path: Path, text: str) -> None:
    assert "error: " in str(refused(written(tmp_path, text.encode())))


def test_an_expression_that_is_nested_too_deeply(tmp_path: Path) -> None:
    text = GOOD.replace("SK_PASS", " + ".join(["ctx.len"] * 3000))
    assert "nested too deeply" in refused(written(tmp_path, text.encode())).message


def test_an_exception_of_the_module_is_told_at_its_line() -> None:
    (found,) = errors("def check():\n    raise ValueError('too many')\n\ncheck()\n")
    assert (found.line, found.message) == (3, "ValueError: too many")


def test_an_exception_below_the_module_is_told_where_the_module_called() -> None:
    (found,) = errors("import json\nx = json.loads('{')\n")
    assert (found.line, found.message[:16]) == (3, "JSONDecodeError:")


def test_a_syntax_error_in_a_module_beside_the_policy() -> None:
    (found,) = errors("import other\n", others={"other.py": "x = (\n"})
    assert found.file.endswith("other.py")
    assert found.message.startswith("syntax error: ")


def test_the_process_goes_on_after_sys_exit() -> None:
    (found,) = errors("raise SystemExit(3)\n")
    assert found.message == "the module ends the process"


def test_the_main_guard_does_not_run() -> None:
    assert compiled(
        "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return 0\n\nif __name__ == '__main__':\n    1 // 0\n"
    )


def test_modules_beside_the_policy(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "ports.py").write_text(f"HTTP = {number}\n")
        path = written(folder, (PRELUDE + "from ports import HTTP\n" + GOOD.replace("SK_PASS", "HTTP")).encode())
        function = load_policy(path).module.functions[0]
        (constant,) = (each for each in function.blocks[0].operations if each.name == "const")
        assert constant.attributes["value"] == number
    assert "ports" not in sys.modules
    assert not list(tmp_path.rglob("__pycache__"))


SHARED = """
from skverdict.dsl import HashMap, SkSkb, Struct, inline, u32, u64

class Key(Struct):
    port: u32

counts = HashMap(key=Key, value=u64, max_entries=4)

@inline
def count(skb: SkSkb) -> None:
    key = Key(port=skb.local_port)
    entry = counts.lookup(key)
    if entry is not None:
        entry.value += 1
"""


def test_inline_functions_and_their_maps_from_another_module() -> None:
    policy = compiled(
        "from shared import count\n@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    count(ctx)\n    return 0\n",
        others={"shared.py": SHARED},
    )
    assert [map_.name for map_ in policy.module.maps] == ["counts"]
    assert sorted(policy.sources) == ["policy.py", "shared.py"]
    locations = {
        (operation.location.file, operation.location.line)
        for block in policy.module.functions[0].blocks
        for operation in block.operations
        if operation.location is not None
    }
    assert ("shared.py", 11) in locations
    assert ("policy.py", 6) in locations
    assert policy.sources["shared.py"][10] == "    key = Key(port=skb.local_port)"


def test_an_error_in_another_module_names_its_file_and_the_call() -> None:
    (found,) = errors(
        "from shared import count\n@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    count(ctx)\n    return 0\n",
        others={"shared.py": SHARED.replace("local_port", "locl_port")},
    )
    assert found.file.endswith("shared.py")
    assert (found.line, found.column, found.message) == (11, 20, "`SkSkb` has no `locl_port`")
    ((place, text),) = found.notes
    assert (place.line, place.column, text) == (5, 5, "`count` is called here")


def test_no_output_depends_on_the_folder(tmp_path: Path) -> None:
    modules = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        modules.append(load_policy(written(folder, GOOD.encode())).module)
    assert modules[0] == modules[1]
    assert modules[0].file == "policy.py"


def test_two_maps_of_one_name_from_two_modules() -> None:
    found = errors(
        "from shared import count\ncounts = SockMap(max_entries=1)\n@skb_verdict\n"
        "def program(ctx: SkSkb) -> i32:\n    count(ctx)\n    return 0\n",
        others={"shared.py": SHARED},
    )
    assert found[-1].message == "two maps are called `counts`"


def test_two_structures_of_one_name() -> None:
    (found,) = errors(
        "from shared import count\nclass Key(Struct):\n    a: u8\nother = HashMap(key=Key, value=u8, max_entries=1)\n"
        "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    count(ctx)\n    return 0\n",
        others={"shared.py": SHARED},
    )
    assert found.message == "two structures of different members are called `Key`"


def test_a_policy_with_deferred_annotations() -> None:
    with_future = (
        "from __future__ import annotations\n" + PRELUDE + "class Key(Struct):\n    a: u32\n"
        "@inline\ndef f(key: Key) -> None:\n    key.a = 3\n"
        "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    key = Key()\n    f(key)\n    return i32(u8(key.a))\n"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert load_policy(written(Path(folder), with_future.encode())).module.structs


def test_programs_of_an_enclosing_function_see_its_constants() -> None:
    policy = compiled(
        """
        def make(port):
            @skb_verdict
            def program(ctx: SkSkb) -> i32:
                return SK_PASS if ctx.local_port == port else SK_DROP
            return program

        program = make(8080)
        """
    )
    (function,) = policy.module.functions
    assert function.name == "program"
    assert any(each.attributes.get("value") == 8080 for each in function.blocks[0].operations)
