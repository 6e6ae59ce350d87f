"""What the kernel's verifier says of a program, found without a kernel.

`walk` goes the way that `do_check` of kernel/bpf/verifier.c goes: all turns of all loops, one way of a branch at
once and the other later, unless it was seen before. It knows of each register and each word of the stack what the
verifier knows: `values` are numbers and pointers, `numbers`, `arithmetic` and `comparisons` what is known of numbers,
`accesses` which use of them is refused. `needs` tells what an earlier visit of a place must have in common with a later
one. `judge` says what is refused or too much, in which line, and what to write instead.

Where kernels know more than is followed here, a value is unclear, and nothing is said of what is done with it.
"""
