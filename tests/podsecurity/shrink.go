package main

import (
	"maps"
	"slices"
)

// smallest takes away parts of the object for as long as `differs` holds.
func smallest(s subject, differs func(subject) bool) subject {
	for {
		shrunk := false
		for smaller := range without(s.object) {
			candidate := s
			candidate.object = smaller.(fields)
			if differs(candidate) {
				s, shrunk = candidate, true
				break
			}
		}
		if !shrunk {
			return s
		}
	}
}

// An object that an API server sends always has these.
var kept = []string{"spec", "template", "jobTemplate"}

// without yields copies of the value that lack one part each, large parts first.
func without(value any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		switch v := value.(type) {
		case fields:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if slices.Contains(kept, key) {
					continue
				}
				smaller := maps.Clone(v)
				delete(smaller, key)
				if !yield(smaller) {
					return
				}
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				for part := range without(v[key]) {
					smaller := maps.Clone(v)
					smaller[key] = part
					if !yield(smaller) {
						return
					}
				}
			}
		case []any:
			for i := range v {
				if !yield(slices.Delete(slices.Clone(v), i, i+1)) {
					return
				}
			}
			for i := range v {
				for part := range without(v[i]) {
					smaller := slices.Clone(v)
					smaller[i] = part
					if !yield(smaller) {
						return
					}
				}
			}
		}
	}
}
