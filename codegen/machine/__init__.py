"""Shorter machine code: LLVM's instructions are lifted to values, changed, and given registers anew.

The way of a function: `lift` makes a graph of values of its instructions, the passes (`simplify`, `stack`,
`packet`, `entry`) change the graph, `registers` and `emit` make instructions of it again, `shape` joins what is
alike and puts blocks in order. What comes out is taken only if it is shorter than what LLVM made.
"""
