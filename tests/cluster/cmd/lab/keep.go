package main

import (
	"fluxgate.dev/tests/cluster/lab"
)

// keep leaves everything running for somebody to poke at.
func keep(it *lab.Lab) error {
	untilInterrupted()
	return nil
}
