"""The native engine: BPF compiled to the processor's own instructions, with the interpreter's checks and faults.

`code` drafts a program: its control flow (`graph`), which registers hold something (`written`), what is proven of its
accesses (`proof`, over `values`), and LLVM's text of it (`emit`, with `text` and `prelude`). `engine` has LLVM compile
that (`machine_code`, `cache`) and runs it: `run` is one run, `batch` many, in `shared` memory of a fixed `layout`.
"""
