package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Guard is Fluxgate: the real binary with a folder of policies, on loopback. It can be stopped and started again at the same
// address, as a Service's pods can.
type Guard struct {
	Name    string
	Address string // of the TLS port
	CA      *Authority
	Audit   string   // the audit directory
	Flags   []string // further ones of `serve`; set before it starts

	program, policies        string
	folder, certificate, key string
	health, metrics          string

	process *Process
}

// NewGuard prepares the Fluxgate that guards the lab, with the policies of policies/, and starts nothing.
func (lab *Lab) NewGuard() (*Guard, error) {
	return lab.NewGuardWith("fluxgate", filepath.Join(lab.Source, "policies"))
}

// NewGuardWith prepares keys and ports for another one with policies of its own, beside the first.
func (lab *Lab) NewGuardWith(name, policies string) (*Guard, error) {
	program := os.Getenv("FLUXGATE")
	if program == "" {
		return nil, errors.New("FLUXGATE does not name a binary; start this with tests/cluster/run")
	}
	ca, err := NewAuthority("lab webhook " + name)
	if err != nil {
		return nil, err
	}
	pair, err := ca.Server("fluxgate", "fluxgate.fluxgate-system.svc")
	if err != nil {
		return nil, err
	}
	certificate, key, err := pair.Write(lab.Folder, name)
	if err != nil {
		return nil, err
	}
	audit := filepath.Join(lab.Folder, name+"-audit")
	if err := os.Mkdir(audit, 0o700); err != nil {
		return nil, err
	}
	var listen, health, metrics int
	if err := freePorts(&listen, &health, &metrics); err != nil {
		return nil, err
	}
	return &Guard{
		Name: name, Address: loopback(listen), CA: ca, Audit: audit,
		program: program, policies: policies,
		folder: lab.Folder, certificate: certificate, key: key,
		health: loopback(health), metrics: loopback(metrics),
	}, nil
}

// Start returns when the server says that it is ready.
func (guard *Guard) Start() (err error) {
	policies, err := filepath.Abs(guard.policies)
	if err != nil {
		return err
	}
	flags := append([]string{"serve", "--policies", policies, "--audit", guard.Audit,
		"--tls-cert", guard.certificate, "--tls-key", guard.key,
		"--listen", guard.Address, "--health-listen", guard.health, "--metrics-listen", guard.metrics,
		"--drain-time", "1s"}, guard.Flags...)
	guard.process, err = startProcess(guard.folder, guard.Name, guard.program, nil, flags...)
	if err != nil {
		return err
	}
	return guard.process.untilReady(10*time.Second, func() error {
		return answersOK("http://" + guard.health + "/readyz?verbose")
	})
}

// Readyz is the status and text of /readyz?verbose.
func (guard *Guard) Readyz() (status int, text string, err error) {
	return fetch("http://" + guard.health + "/readyz?verbose")
}

var policySetInReadyz = regexp.MustCompile(`\[\+\]policies ok: .*(sha256:[0-9a-f]+)`)

// PolicySet is the digest of the set in force. It comes with an error if the folder holds one that cannot be.
func (guard *Guard) PolicySet() (string, error) {
	_, text, err := guard.Readyz()
	if err != nil {
		return "", err
	}
	digest := policySetInReadyz.FindStringSubmatch(text)
	if digest == nil {
		return "", errors.New("no policy set is in force:\n" + text)
	}
	if strings.Contains(text, "policy-folder") {
		return digest[1], errors.New("the policy folder is not in force:\n" + text)
	}
	return digest[1], nil
}

// Metric is the value of one series, named as /metrics writes it; 0 if there is none.
func (guard *Guard) Metric(series string) (float64, error) {
	_, text, err := fetch("http://" + guard.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, nil
}

// Stop sends SIGTERM and returns the program's own exit: nil for code 0.
func (guard *Guard) Stop() error { return guard.process.Stop(15 * time.Second) }

// Kill is SIGKILL: no draining, no last write.
func (guard *Guard) Kill() { guard.process.Kill() }

// Alive complains when the server has gone without being asked to.
func (guard *Guard) Alive() error {
	if !guard.process.Running() {
		return errors.New("fluxgate has exited\n" + guard.process.Tail(30))
	}
	return nil
}

// Records are the records so far, published or not: of each its data, with the id and time of its envelope.
func (guard *Guard) Records() (records []Object, err error) {
	text, _, err := guard.run("audit", "query", "--audit", guard.Audit, "-o", "jsonl")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		var envelope Object
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			return nil, fmt.Errorf("fluxgate audit query: %w in %s", err, line)
		}
		data, ok := envelope["data"].(map[string]any)
		if !ok {
			return nil, errors.New("a record without data: " + line)
		}
		data["id"], data["time"] = envelope["id"], envelope["time"]
		records = append(records, data)
	}
	return records, nil
}

// Verify has the whole log verified: every entry, tree and checkpoint, and that nothing is missing.
func (guard *Guard) Verify() error {
	text, code, err := guard.run("audit", "verify", "--audit", guard.Audit)
	if err == nil && code != 0 {
		err = errors.New("fluxgate audit verify:\n" + text)
	}
	return err
}

// Reconcile compares the log with the API server's: what `fluxgate audit reconcile -o json` says, and its exit code.
func (guard *Guard) Reconcile(apiAudit string, flags ...string) (result Object, code int, err error) {
	text, code, err := guard.run(append([]string{"audit", "reconcile", "--audit", guard.Audit, "--api-audit", apiAudit,
		"--policies", guard.policies, "-o", "json"}, flags...)...)
	if err == nil {
		err = json.Unmarshal([]byte(text), &result)
	}
	return result, code, err
}

// run is one command of the program under test: its standard output and exit code. Exit code 2 is an error.
func (guard *Guard) run(arguments ...string) (output string, code int, err error) {
	var out, complaints bytes.Buffer
	command := exec.Command(guard.program, arguments...)
	command.Stdout, command.Stderr = &out, &complaints
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return out.String(), 1, nil
	}
	if err != nil {
		err = fmt.Errorf("fluxgate %s: %w\n%s", strings.Join(arguments, " "), err, complaints.String())
	}
	return out.String(), 0, err
}

// jsonLines skips lines that are no JSON object: the last one may still be being written.
func jsonLines(path string) (objects []Object, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var object Object
		if json.Unmarshal(lines.Bytes(), &object) == nil && object != nil {
			objects = append(objects, object)
		}
	}
	return objects, lines.Err()
}

// APIAudit reads the API server's own audit log.
func (plane *ControlPlane) APIAudit() ([]Object, error) { return jsonLines(plane.AuditLog) }

// DeniedByUs says whether an event of the API server's audit log is a request that Fluxgate refused.
func DeniedByUs(event Object) bool {
	return strings.Contains(event.Text("responseStatus", "message"), "Fluxgate denied")
}
