"""`skverdict ir`: a policy to the text of its intermediate representation."""

from __future__ import annotations

from skverdict.runtime.cli.policy import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.dsl.ir.module import Module, Operation

DETAILS = """

The text is what the compiler makes of the policy before LLVM sees it; it can be parsed back."""

EXAMPLE = """example:
  skverdict ir examples/port_redirect.py"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY.py", help="the policy; - for stdin")
    parser.add_argument("--json", action="store_true", help="print it as JSON, a list of operations a block")


def run(options: Namespace) -> int:
    """Compile and print."""
    module = load(options.policy).module
    if options.json:
        import json

        print(json.dumps(_as_json(module), indent=2))
        return 0
    from skverdict.dsl.ir.text import print_module

    print(print_module(module), end="")
    return 0


def _as_json(module: Module) -> dict[str, object]:
    return {
        "file": module.file,
        "license": module.license,
        "maps": [{"name": each.name, "kind": each.kind, "key": str(each.key or ""),
                  "value": str(each.value or ""), "max_entries": each.max_entries}
                 for each in module.maps],
        "functions": [
            {"name": function.name, "kind": function.kind, "result": str(function.result),
             "blocks": [{"label": block.label, "operations": [_operation(each) for each in block.operations]}
                        for block in function.blocks]}
            for function in module.functions
        ],
    }  # fmt: skip


def _operation(operation: Operation) -> dict[str, object]:
    location = operation.location
    return {
        "name": operation.name,
        "operands": [str(value) for value in operation.operands],
        "attributes": operation.attributes,
        "result": None if operation.result is None else str(operation.result),
        "type": "" if operation.result is None else str(operation.result.type),
        "successors": operation.successors,
        "line": 0 if location is None else location.line,
        "column": 0 if location is None else location.column,
    }
