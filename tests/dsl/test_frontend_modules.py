"""What a policy imports from its own folder is its own, whatever another policy imported before."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.dsl import PolicyError, load_policy
from skverdict.dsl.ir.text import print_module

POLICY = """
from skverdict.dsl import SkSkb, i32, stream_parser
from common.limits import LIMIT

@stream_parser
def parser(skb: SkSkb) -> i32:
    return LIMIT
"""


@pytest.mark.parametrize("marker", ["", "__init__.py"])
def test_packages_of_two_folders_do_not_mix(tmp_path: Path, marker: str) -> None:
    found = []
    for number in (41, 42):
        folder = tmp_path / str(number)
        (folder / "common").mkdir(parents=True)
        if marker:
            (folder / "common" / marker).touch()
        (folder / "common" / "limits.py").write_text(f"LIMIT = {number}\n")
        (folder / "policy.py").write_text(POLICY)
        found.append(print_module(load_policy(folder / "policy.py").module))
    assert "41" in found[0]
    assert "42" in found[1]


@pytest.mark.parametrize("exception", ["BaseException", "GeneratorExit", "SystemExit"])
def test_whatever_a_module_raises_is_told(tmp_path: Path, exception: str) -> None:
    path = tmp_path / "policy.py"
    path.write_text(f"\nraise {exception}('no')\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert caught.value.diagnostics[0].line == 2
