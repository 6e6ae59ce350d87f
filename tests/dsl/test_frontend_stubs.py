"""What editors and type checkers see agrees with what the compiler goes by."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import skverdict.dsl
from skverdict.dsl.catalogue.constants import CONSTANTS
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import HELPERS, Helper
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.frontend.helper_calls import takes
from skverdict.dsl.frontend.helper_table import method_names
from skverdict.dsl.frontend.maps import METHOD_NAMES
from skverdict.dsl.ir.types import Array
from skverdict.dsl.maps import KINDS

from tests.documents import shown_policies

PACKAGE = Path(skverdict.dsl.__file__).parent
EXAMPLES = Path(__file__).parents[2] / "examples"


def stub(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text())


def returns_of(helper: Helper) -> str:
    """What a call gives in a policy: of a tail call nothing, whatever the kernel declares."""
    return "void" if helper.name == "bpf_tail_call" else helper.returns


def classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.class_name)
def test_fields_of_contexts(context: object) -> None:
    declared = {
        node.target.id: ast.unparse(node.annotation)
        for node in classes(stub("contexts.pyi"))[context.class_name].body  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    expected = {}
    for field in context.fields.values():  # type: ignore[attr-defined]
        if not field.readers or field.role == "data_end":
            continue
        type_ = str(field.low or field.type)
        if field.role == "socket":
            type_ = "Sock | None" if field.nullable else "Sock"
        if isinstance(field.type, Array):
            type_ = f"Sequence[{field.type.element}]"
        expected[field.name] = "PacketData" if field.role == "data" else type_
    assert declared == expected


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.class_name)
def test_methods_of_contexts(context: object) -> None:
    declared = {
        node.name: ([one.arg for one in node.args.args[1:]], ast.unparse(node.returns or ast.Constant(None)))
        for node in classes(stub("contexts.pyi"))[context.class_name].body  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef) and node.name != "__init__"
    }
    expected = {
        name: ([one.name for one in HELPERS[helper].arguments[1:]], returns_of(HELPERS[helper]))
        for name, helper in method_names(context.name).items()  # type: ignore[attr-defined]
        if takes(HELPERS[helper])
    }
    # `from` is a keyword of Python, so the stub calls that parameter `source`.
    renamed = {"from": "source"}
    written = {"socket": "Sock | None", "void": "None"}
    shown = {
        name: ([renamed.get(one, one) for one in names], written.get(returns, returns))
        for name, (names, returns) in expected.items()
    }
    assert declared == shown


@pytest.mark.parametrize("name", ["Sock", "TcpSock"])
def test_fields_of_sockets(name: str) -> None:
    declared = {
        node.target.id: ast.unparse(node.annotation)
        for node in classes(stub("contexts.pyi"))[name].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    table = {"Sock": "bpf_sock", "TcpSock": "bpf_tcp_sock"}[name]
    assert declared == {
        field.name: f"Sequence[{field.type.element}]" if isinstance(field.type, Array) else str(field.type)
        for field in STRUCTURES[table].fields.values()
    }


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_methods_of_maps(kind: str) -> None:
    declared = classes(stub("maps.pyi"))
    names: set[str] = set()
    pending = [MAPS[kind].class_name]
    while pending:
        node = declared.get(pending.pop())
        if node is not None:
            names |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            pending += [ast.unparse(base).partition("[")[0] for base in node.bases]
    assert {name for name in names if not name.startswith("_")} == set(METHOD_NAMES[kind])


def test_constants() -> None:
    declared = [
        node.target.id
        for node in stub("constants.pyi").body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    assert sorted(declared) == sorted(CONSTANTS)
    (exported,) = [ast.literal_eval(node.value) for node in stub("constants.pyi").body if isinstance(node, ast.Assign)]
    assert sorted(exported) == sorted(CONSTANTS)
    assert {name: getattr(skverdict.dsl, name) for name in CONSTANTS} == CONSTANTS


def test_map_classes() -> None:
    declared = classes(stub("maps.pyi"))
    for kind, thing in KINDS.items():
        assert MAPS[kind].class_name == thing.__name__
        assert getattr(skverdict.dsl, thing.__name__) is thing
        assert thing.__name__ in declared


def test_importing_the_package_brings_nothing_heavy() -> None:
    script = (
        "import sys, skverdict.dsl\n"
        "heavy = {'llvmlite', 'lark', 'elftools', 'rich', 'difflib', 'textwrap', 'ast'} & set(sys.modules)\n"
        "heavy |= {name for name in sys.modules if name.startswith('skverdict.dsl.frontend')}\n"
        "heavy -= {'ast'} if 'inspect' in sys.modules else set()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_strict_mypy_accepts_the_examples_and_what_documents_show(tmp_path: Path) -> None:
    """`pyright`, with the settings in `pyproject.toml`, does as well; it needs Node.js, so `.ci/run` runs that."""
    shown = shown_policies(tmp_path)
    assert len(shown) > 20
    command = [sys.executable, "-m", "mypy", "--strict", *map(str, [*sorted(EXAMPLES.glob("*.py")), *shown])]
    # However the package is installed: mypy does not see every kind of editable install.
    (tmp_path / "skverdict").mkdir()
    for package in ("dsl", "codegen", "runtime"):
        (tmp_path / "skverdict" / package).symlink_to(EXAMPLES.parent / package)
    environment = {**os.environ, "MYPYPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=EXAMPLES.parent, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
