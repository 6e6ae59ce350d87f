"""How much work a program is for the kernel's verifier, found without a kernel.

`walk` goes the way that `do_check` of kernel/bpf/verifier.c goes: all turns of all loops, one way of a branch at
once and the other later, unless it was seen before. It knows of values what matters there: `numbers` are what
may be known of a number, `needs` tells which of them an earlier visit must have in common with a later one.
`judge` says what is too much, in which line, and what to write instead.
"""
