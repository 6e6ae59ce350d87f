"""Shorter machine code: LLVM's instructions are lifted to values, changed, and given registers anew.

The way of a function: `lift` makes a graph of values of its instructions. The passes `simplify`, `context`,
`stack` (with `homes` and `reload`), `packet` and `entry` change the graph. `legal`, `registers` and `emit`
make instructions of it again, `shape` joins what is alike and puts blocks in order, `encode` gives bytes.
What comes out is taken only if it is not longer than what LLVM made.
"""
