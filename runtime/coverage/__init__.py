"""Which lines and branches of a policy ran as BPF, in the terms of coverage.py.

A policy's functions never run as Python, so coverage.py by itself sees their `def` lines only. The optimiser
moves, merges and drops code, so the lines of a finished object do not tell either. Here the policy's IR gets
a mark for each statement (`marking`), the simulator reports the marks that it passes (`recorder`), and the
way from mark to mark gives lines and arcs as coverage.py counts them (`path`).

What runs is therefore not the object that `build` makes, but one of the same meaning with a store more for
each statement. Objects that were built before are not covered.
"""
