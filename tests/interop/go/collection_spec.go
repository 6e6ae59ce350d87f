// Reads BPF objects with cilium/ebpf and prints what it sees in each, as JSON lines. Nothing is ever loaded.
//
//	collection_spec OBJECT...
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

type mapView struct {
	Type       uint32   `json:"type"`
	KeySize    uint32   `json:"key_size"`
	ValueSize  uint32   `json:"value_size"`
	MaxEntries uint32   `json:"max_entries"`
	Flags      uint32   `json:"flags"`
	Key        string   `json:"key"`
	Value      string   `json:"value"`
	Inner      *mapView `json:"inner"`
	Contents   int      `json:"contents"`
}

type programView struct {
	Section    string   `json:"section"`
	Type       uint32   `json:"type"`
	AttachType uint32   `json:"attach_type"`
	Slots      int      `json:"slots"`
	License    string   `json:"license"`
	Endian     string   `json:"endian"`
	Maps       []string `json:"maps"`
	Sources    int      `json:"sources"`
}

type view struct {
	Error    string                 `json:"error"`
	Maps     map[string]mapView     `json:"maps"`
	Programs map[string]programView `json:"programs"`
}

func typeName(t btf.Type) string {
	if t == nil {
		return ""
	}
	return t.TypeName()
}

func viewOfMap(spec *ebpf.MapSpec) mapView {
	seen := mapView{
		Type: uint32(spec.Type), KeySize: spec.KeySize, ValueSize: spec.ValueSize, MaxEntries: spec.MaxEntries,
		Flags: spec.Flags, Key: typeName(spec.Key), Value: typeName(spec.Value), Contents: len(spec.Contents),
	}
	if spec.InnerMap != nil {
		inner := viewOfMap(spec.InnerMap)
		seen.Inner = &inner
	}
	return seen
}

func viewOfProgram(spec *ebpf.ProgramSpec) programView {
	seen := programView{
		Section: spec.SectionName, Type: uint32(spec.Type), AttachType: uint32(spec.AttachType),
		License: spec.License, Endian: fmt.Sprint(spec.ByteOrder), Maps: []string{},
	}
	for index, instruction := range spec.Instructions {
		if index > 0 && instruction.Symbol() != "" {
			break // a function that the program calls
		}
		seen.Slots += int(instruction.Size() / asm.InstructionSize)
		if instruction.IsLoadFromMap() {
			seen.Maps = append(seen.Maps, instruction.Reference())
		}
		if instruction.Source() != nil {
			seen.Sources++
		}
	}
	return seen
}

func look(path string) view {
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		return view{Error: err.Error()}
	}
	seen := view{Maps: map[string]mapView{}, Programs: map[string]programView{}}
	for name, each := range spec.Maps {
		seen.Maps[name] = viewOfMap(each)
	}
	for name, each := range spec.Programs {
		seen.Programs[name] = viewOfProgram(each)
	}
	return seen
}

func main() {
	output := json.NewEncoder(os.Stdout)
	for _, path := range os.Args[1:] {
		if err := output.Encode(look(path)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
