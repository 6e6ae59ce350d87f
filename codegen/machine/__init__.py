"""Shorter machine code: LLVM's instructions are lifted to values, changed, and given registers anew.

The way of a function: `lift` makes a graph of values of its instructions. The passes `simplify`, `context`,
`stack` (with `homes` and `reload`), `packet` and `entry` change the graph, `frame_sums`, `unwritten` and
`comparisons` mend what a verifier would refuse. `legal`, `registers` and `emit` make instructions of it again,
`shape` joins what is alike and puts blocks in order, `encode` gives bytes. If there are not registers for all values,
or nothing becomes shorter, `transcribe` takes LLVM's instructions as they are, mended alike (`ends` does what
`simplify` does else).
"""
