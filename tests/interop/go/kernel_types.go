// Resolves what BPF objects depend on in a kernel with cilium/ebpf, as if the kernel's types were those of another
// object, and prints it as JSON lines: of each program, the numbers in its instructions before and after. Nothing is
// ever loaded.
//
//	kernel_types TYPES OBJECT...
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

func number(instruction asm.Instruction) int64 {
	if class := instruction.OpCode.Class(); class == asm.LdXClass || class == asm.StXClass {
		return int64(instruction.Offset)
	}
	return instruction.Constant
}

func resolved(instructions asm.Instructions, local, target *btf.Spec) ([][2]int64, error) {
	found := [][2]int64{}
	for index := range instructions {
		instruction := instructions[index]
		record := btf.CORERelocationMetadata(&instruction)
		if record == nil {
			continue
		}
		before := number(instruction)
		fixups, err := btf.CORERelocate(local, target, []*btf.CORERelocation{record})
		if err != nil {
			return nil, err
		}
		if err := fixups[0].Apply(&instruction); err != nil {
			return nil, err
		}
		found = append(found, [2]int64{before, number(instruction)})
	}
	return found, nil
}

func look(path string, target *btf.Spec) (map[string][][2]int64, error) {
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		return nil, err
	}
	seen := map[string][][2]int64{}
	for name, program := range spec.Programs {
		if seen[name], err = resolved(program.Instructions, spec.Types, target); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

func main() {
	target, err := btf.LoadSpec(os.Args[1])
	output := json.NewEncoder(os.Stdout)
	for _, path := range os.Args[2:] {
		var seen map[string][][2]int64
		if err == nil {
			seen, err = look(path, target)
		}
		if err == nil {
			err = output.Encode(seen)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
