// Lab has three commands: `record` plays the scenarios behind cli/demo/recordings, `corpus` a life of a cluster in which only its own
// programs write, `keep` leaves a control plane running.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"fluxgate.dev/tests/cluster/lab"
)

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	var err error
	switch {
	case command == "record" && len(os.Args) == 3:
		err = withLab(func(it *lab.Lab) error { return record(it, os.Args[2]) })
	case command == "corpus" && len(os.Args) == 3:
		err = withLab(func(it *lab.Lab) error { return recordCorpus(it, os.Args[2]) })
	case command == "keep" && len(os.Args) == 2:
		err = withLab(keep)
	default:
		err = fmt.Errorf("usage: lab record FOLDER | lab corpus FILE | lab keep (tests/cluster/record and tests/cluster/run --keep call it)")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func withLab(use func(*lab.Lab) error) error {
	it, err := lab.Start(".", say)
	if err != nil {
		return err
	}
	defer it.Stop()
	if err := use(it); err != nil {
		return fmt.Errorf("%w\n(logs are kept in %s)", err, it.Folder)
	}
	it.Remove()
	return nil
}

func untilInterrupted() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	<-interrupted
}

func say(format string, arguments ...any) { fmt.Printf(format+"\n", arguments...) }
