"""What a policy's tests use beside the simulator: assertions that tell what happened, hypothesis strategies.

The pytest plugin (`plugin`) is installed with the package, under the entry point `pytest11`.
"""

from __future__ import annotations

from skverdict.runtime.testing.assertions import (
    assert_dropped,
    assert_passed,
    assert_redirected,
    assert_verdicts,
    timeline,
)

__all__ = ["assert_dropped", "assert_passed", "assert_redirected", "assert_verdicts", "timeline"]
