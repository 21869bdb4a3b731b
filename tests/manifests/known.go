package main

import (
	"strings"
)

// What differs on purpose, and why. The first that fits counts; one that no text shows is an error.
var knownDifferences = []struct {
	name   string // with the reason
	stream bool   // of files of documents
	is     func(c comparison) bool
}{
	{"dummy", false, func(c comparison) bool { return strings.Contains(c.text, "!!binary") }},
}
