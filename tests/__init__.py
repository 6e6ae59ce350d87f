"""The tests. Many of their policies are wrong on purpose, so that what the compiler warns of is shown to nobody.

Commands that install nothing import this too: a `PolicyWarning` is known by its text.
"""

import warnings

warnings.filterwarnings("ignore", r"[^\n]*: warning: ")
