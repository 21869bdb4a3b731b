// Program tlog writes logs with Fluxgate's integrator (log_maker) and has them checked by programs that share no code with it:
// golang.org/x/mod (notes and trees of Go's checksum database), Tessera's fsck, and Sigstore's verifier for node. Then it changes logs at
// random: all of them must refuse what is left, and so must Fluxgate.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

var (
	makerPath  = flag.String("maker", "", "the program log_maker")
	fsckPath   = flag.String("fsck", "", "Tessera's fsck")
	scriptPath = flag.String("script", "", "sigstore/verify.js")
	seed       = flag.Int64("seed", 1, "of the tamperings; 0 takes another one each time")
	tamperings = flag.Int("tamperings", 2000, "how many changed logs")
)

func main() {
	flag.Parse()
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "provable log:", err)
		os.Exit(1)
	}
}

func run() error {
	work, err := os.MkdirTemp("", "fluxgate-tlog-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	sigstore, err := startAnswering("node", *scriptPath)
	if err != nil {
		return err
	}
	defer sigstore.stop()
	for _, part := range []struct {
		name string
		do   func(string, *answering) error
	}{
		{"a log at every size from 0 to 600", everySize},
		{"logs of 65,535 to 1,000,000 entries", largeLogs},
		{"changed logs", changedLogs},
	} {
		began := time.Now()
		folder := filepath.Join(work, strings.Map(func(r rune) rune {
			if r == ' ' || r == ',' {
				return '-'
			}
			return r
		}, part.name))
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		if err := part.do(folder, sigstore); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Printf("provable log: %s: %.1f s\n", part.name, time.Since(began).Seconds())
	}
	return nil
}

func everySize(folder string, sigstore *answering) error {
	log, err := makeLog(folder)
	if err != nil {
		return err
	}
	defer log.stop()
	random := rand.New(rand.NewSource(*seed))
	for size := int64(0); size <= 600; size++ {
		if size > 0 {
			if _, err := log.maker.ask("append 1"); err != nil {
				return err
			}
		}
		if err := log.checkByAll(size); err != nil {
			return fmt.Errorf("at %d entries: %w", size, err)
		}
		if size > 0 {
			if err := log.checkProofs(random, sigstore, 2); err != nil {
				return fmt.Errorf("at %d entries: %w", size, err)
			}
		}
	}
	return nil
}

func largeLogs(folder string, sigstore *answering) error {
	log, err := makeLog(folder)
	if err != nil {
		return err
	}
	defer log.stop()
	random := rand.New(rand.NewSource(*seed))
	size := int64(0)
	for _, wanted := range []int64{65535, 65536, 65537, 70000, 1000000} {
		began := time.Now()
		if _, err := log.maker.ask(fmt.Sprintf("append %d", wanted-size)); err != nil {
			return err
		}
		size = wanted
		written := time.Now()
		if err := log.checkByAll(size); err != nil {
			return fmt.Errorf("at %d entries: %w", size, err)
		}
		checked := time.Now()
		if err := log.checkProofs(random, sigstore, 100); err != nil {
			return fmt.Errorf("at %d entries: %w", size, err)
		}
		fmt.Printf("provable log: %d entries: written in %.1f s, checked in %.1f s, 100 proofs in %.1f s\n", size, written.Sub(began).Seconds(),
			checked.Sub(written).Seconds(), time.Since(checked).Seconds())
	}
	return nil
}

// --- a log and who checks it ------------------------------------------------------------------------------------------

type madeLog struct {
	folder string
	vkey   string // the file, a copy beside the folder
	maker  *answering
}

func makeLog(work string) (*madeLog, error) {
	log := &madeLog{folder: filepath.Join(work, "log"), vkey: filepath.Join(work, "log.vkey")}
	maker, err := startAnswering(*makerPath, log.folder, filepath.Join(work, "log.key"))
	if err != nil {
		return nil, err
	}
	log.maker = maker
	if _, err := maker.ask("open"); err != nil {
		return nil, err
	}
	vkey, err := os.ReadFile(filepath.Join(log.folder, "log.vkey"))
	if err != nil {
		return nil, err
	}
	return log, os.WriteFile(log.vkey, vkey, 0o644)
}

func (log *madeLog) stop() { log.maker.stop() }

func (log *madeLog) checkByAll(size int64) error {
	tree, err := checkFolder(log.folder, log.vkey)
	if err != nil {
		return fmt.Errorf("golang.org/x/mod: %w", err)
	}
	if tree.N != size {
		return fmt.Errorf("golang.org/x/mod: %d entries", tree.N)
	}
	if err := log.checkByFsck(size); err != nil {
		return fmt.Errorf("Tessera's fsck: %w", err)
	}
	return nil
}

// Tessera's fsck v1.0.4 ends with status 0 whatever it finds: only the line it writes at the end says that all was well. After errors in
// several tiles it may wait for its own workers for ever.
func (log *madeLog) checkByFsck(size int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, *fsckPath, "--storage_url=file://"+log.folder+"/", "--public_key="+log.vkey, "--ui=false", "-N", "4").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %.2000s", err, out)
	}
	if !strings.Contains(string(out), fmt.Sprintf("Successfully fsck'd log with size %d and", size)) {
		return fmt.Errorf("%.2000s", out)
	}
	return nil
}

// Fluxgate's inclusion and consistency proofs, to Go and to Sigstore; each also with another leaf, which nobody may accept.
func (log *madeLog) checkProofs(random *rand.Rand, sigstore *answering, count int) error {
	note, tree, err := readCheckpoint(log.folder, log.vkey)
	if err != nil {
		return err
	}
	vkey, err := os.ReadFile(log.vkey)
	if err != nil {
		return err
	}
	for range count {
		index := random.Int63n(tree.N)
		proof, err := log.proof(fmt.Sprintf("prove %d", index))
		if err != nil {
			return err
		}
		leaf := entry(index)
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
			return fmt.Errorf("entry %d, golang.org/x/mod: %w", index, err)
		}
		other := append([]byte("x"), leaf...)
		if tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(other)) == nil {
			return fmt.Errorf("entry %d: golang.org/x/mod accepts another leaf", index)
		}
		wanted := map[string]any{"checkpoint": note, "vkey": strings.TrimSpace(string(vkey)), "index": index, "hashes": inBase64(proof), "leaf": leaf}
		if err := askSigstore(sigstore, wanted); err != nil {
			return fmt.Errorf("entry %d, Sigstore: %w", index, err)
		}
		wanted["leaf"] = other
		if askSigstore(sigstore, wanted) == nil {
			return fmt.Errorf("entry %d: Sigstore accepts another leaf", index)
		}

		old := 1 + random.Int63n(tree.N)
		continued, err := log.proof(fmt.Sprintf("continue %d", old))
		if err != nil {
			return err
		}
		oldHash, err := tlog.TreeHash(old, tiles{log.folder, tree}.hashes())
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(continued, tree.N, tree.Hash, old, oldHash); err != nil {
			return fmt.Errorf("that it continues %d entries, golang.org/x/mod: %w", old, err)
		}
	}
	return nil
}

func (log *madeLog) proof(command string) ([]tlog.Hash, error) {
	answer, err := log.maker.ask(command)
	if err != nil || answer == "" {
		return nil, err
	}
	var proof []tlog.Hash
	for _, text := range strings.Split(answer, ",") {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		proof = append(proof, hash)
	}
	return proof, nil
}

func inBase64(hashes []tlog.Hash) []string {
	texts := []string{}
	for _, hash := range hashes {
		texts = append(texts, base64.StdEncoding.EncodeToString(hash[:]))
	}
	return texts
}

func askSigstore(sigstore *answering, wanted map[string]any) error {
	line, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	_, err = sigstore.ask(string(line))
	return err
}

// --- a program that answers a line with a line ------------------------------------------------------------------------

type answering struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startAnswering(program string, arguments ...string) (*answering, error) {
	started := &answering{command: exec.Command(program, arguments...)}
	started.command.Stderr = os.Stderr
	var err error
	if started.in, err = started.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := started.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started.out = bufio.NewReader(out)
	return started, started.command.Start()
}

// What stands behind "ok"; an error with what stands behind "no".
func (a *answering) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(a.in, line); err != nil {
		return "", err
	}
	answer, err := a.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s ended without an answer", a.command.Path)
	}
	answer = strings.TrimSuffix(answer, "\n")
	if text, refused := strings.CutPrefix(answer, "no "); refused {
		return "", fmt.Errorf("refused: %s", text)
	}
	return strings.TrimSpace(strings.TrimPrefix(answer, "ok")), nil
}

func (a *answering) stop() {
	a.in.Close()
	a.command.Wait()
}
