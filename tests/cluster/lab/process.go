package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is one program of the lab, with its output in a file of its own.
type Process struct {
	Name    string
	LogFile string

	command *exec.Cmd
	exited  chan struct{} // closed when the program has gone; exitError is valid from then on
	exit    error
	again   func() (*Process, error)
}

// startProcess runs a program that is killed when this one dies, however it dies.
func startProcess(folder, name, program string, environment []string, arguments ...string) (*Process, error) {
	logFile := filepath.Join(folder, name+".log")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = log, log
	command.Dir = folder
	// Nothing of the developer's own set-up may leak in: no proxy, no kubeconfig.
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TMPDIR=" + folder}, environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}

	process := &Process{Name: name, LogFile: logFile, command: command, exited: make(chan struct{})}
	process.again = func() (*Process, error) { return startProcess(folder, name, program, environment, arguments...) }
	started := make(chan error)
	go func() {
		// The kernel ties Pdeathsig to the thread that forked, so that thread must live as long as the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		process.exit = command.Wait()
		close(process.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return process, nil
}

// Running is false once the program has gone.
func (process *Process) Running() bool {
	select {
	case <-process.exited:
		return false
	default:
		return true
	}
}

// Stop asks the program to end and kills it when it has not gone within `patience`.
// It returns the program's own exit: nil for code 0.
func (process *Process) Stop(patience time.Duration) error {
	if process == nil {
		return nil
	}
	process.signal(syscall.SIGTERM)
	select {
	case <-process.exited:
		return process.exit
	case <-time.After(patience):
		process.signal(syscall.SIGKILL)
		<-process.exited
		return fmt.Errorf("%s did not stop within %s and was killed", process.Name, patience)
	}
}

// Kill ends the program as a lost node would.
func (process *Process) Kill() {
	process.signal(syscall.SIGKILL)
	<-process.exited
}

func (process *Process) signal(signal syscall.Signal) {
	if process.Running() {
		_ = process.command.Process.Signal(signal)
	}
}

// Tail is the end of the program's output, for messages about failures.
func (process *Process) Tail(lines int) string {
	text, err := os.ReadFile(process.LogFile)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// untilReady waits for `ready` and gives up early when the program has gone.
func (process *Process) untilReady(within time.Duration, ready func() error) error {
	err := Eventually(within, func() error {
		if !process.Running() {
			return Permanent(fmt.Errorf("it exited (%v)", process.exit))
		}
		return ready()
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w\n--- end of its output ---\n%s", process.Name, err, process.Tail(30))
	}
	return nil
}
