"""The tests. Many of their policies are wrong on purpose, so that what the compiler warns of is shown to nobody."""

import warnings

from skverdict.dsl import PolicyWarning

warnings.simplefilter("ignore", PolicyWarning)
