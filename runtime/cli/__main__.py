"""`python -m skverdict.runtime.cli`."""

from __future__ import annotations

import sys

from skverdict.runtime.cli import main

sys.exit(main())
