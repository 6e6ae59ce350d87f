"""The native engine: BPF compiled to the processor's own instructions, with the interpreter's checks and faults.

`source` is what native code of a program follows from. `code` drafts it: its control flow (`graph`), which registers
hold something (`written`), what is proven of its accesses (`proof`, over `values`), LLVM's text of it (`emit`, with
`text` and `prelude`), and what its runs must know (`outline`). `tiers` have LLVM compile that (`machine_code`), once
for an `edition` of the engine (`cache`), and `engine` runs it: `run` is one run, with `work` for Python, `batch` many,
in `shared` memory of a fixed `layout`.
"""
