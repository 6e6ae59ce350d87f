"""The native engine: BPF compiled to the processor's own instructions, with the interpreter's checks and faults.

`source` is what native code of a program follows from. `code` drafts it: its control flow (`graph`), which registers
hold something (`written`), what is proven of its accesses (`proof`, over `values`), LLVM's text of it (`emit`, with
`function` over `accesses` and `calling`, which share a `body`), and what its runs must know (`outline`). `tiers` have
LLVM compile that (`machine_code`), once for an `edition` of the engine (`cache`). `engine` runs it: `run` is one run,
with `work` for Python, `batch` many, `columns` many that need no Python, in `shared` memory of a fixed `layout`, with
`tables` of maps (`entries`).
"""
