package lab

import (
	"errors"
	"fmt"
	"time"
)

const pollEvery = 50 * time.Millisecond

type permanent struct{ error }

// Permanent marks an error that no waiting will mend.
func Permanent(err error) error { return permanent{err} }

// Eventually calls `check` until it returns nil and fails with its last error after `within`.
func Eventually(within time.Duration, check func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return nil
		}
		var final permanent
		if errors.As(err, &final) {
			return final.error
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", within, err)
		}
		time.Sleep(pollEvery)
	}
}
