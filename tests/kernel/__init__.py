"""Programs run by a real kernel in a QEMU virtual machine, in software emulation; never by the machine's own.

`python -m tests.kernel` loads every example's objects there. The parts serve other programs as well:
`guest.run(kernel, files, module, arguments)` boots a kernel and runs one Python module in it, with the files
of this repository that it is given, and gives back the JSON lines that it printed to its results channel.
"""
