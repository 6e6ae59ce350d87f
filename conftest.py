"""Nothing in the test suite asks the kernel of the machine that it runs on, nor does what it starts."""

from __future__ import annotations

import os

from skverdict.runtime.kernel.libbpf import REFUSAL_VARIABLE

os.environ[REFUSAL_VARIABLE] = "1"

pytest_plugins = ["pytester"]
