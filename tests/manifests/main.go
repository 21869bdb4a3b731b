// Asks Fluxgate and the readers that kubectl uses (k8s.io/apimachinery, sigs.k8s.io/yaml, sigs.k8s.io/json) what generated texts
// say, and wants the same JSON, or a refusal by both. `run` builds and starts it.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	problemsShown = 5
	batchTexts    = 1000
)

// An answer of the reader: what it read until a problem, and the problem.
type answer struct {
	objects []any
	raw     []string
	problem string
}

func main() {
	reader := flag.String("reader", "", "the program manifest_reader")
	texts := flag.Int("texts", 200_000, "how many texts")
	seed := flag.Uint64("seed", 1, "of the texts; 0 takes one from the clock")
	shown := flag.String("show", "", "only show what both make of this file")
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	if *shown != "" {
		show(*reader, *shown)
		return
	}
	fmt.Printf("manifests against kubectl's readers: seed %d\n", *seed)
	if err := run(*reader, *texts, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Fprintf(os.Stderr, "manifests differ or could not be compared; again with: tests/manifests/run -seed %d -texts %d\n", *seed, *texts)
		os.Exit(1)
	}
}

func show(reader, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	for _, asStream := range []bool{false, true} {
		answers, err := read(reader, []string{string(text)}, asStream)
		fmt.Println("Fluxgate", answers, err)
	}
	value, err := meaning(string(text))
	fmt.Println("kubectl ", value, err)
	documents, err := split(string(text))
	fmt.Printf("documents %q %v\n", documents, err)
}

func run(reader string, count int, seed uint64) error {
	began := time.Now()
	var mutex sync.Mutex
	var problems []error
	var alike, refused, streams, differences int
	seen := map[string]int{}
	batches := make(chan uint64)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for batch := range batches {
				generator := newGenerator(seed, batch)
				asStream := batch%5 == 4
				texts := make([]string, batchTexts)
				for i := range texts {
					texts[i] = generator.text(asStream)
				}
				answers, err := read(reader, texts, asStream)
				var found []verdict
				if err == nil {
					for i, text := range texts {
						found = append(found, compare(text, answers[i], asStream))
					}
				}
				mutex.Lock()
				if err != nil {
					problems = append(problems, err)
				}
				for _, v := range found {
					switch {
					case v.difference != nil:
						differences++
						problems = append(problems, v.difference)
					case v.known != "":
						seen[v.known]++
					case v.refused:
						refused++
					default:
						alike++
					}
					if asStream {
						streams++
					}
				}
				mutex.Unlock()
			}
		})
	}
	for batch := range uint64((count + batchTexts - 1) / batchTexts) {
		batches <- batch
	}
	close(batches)
	workers.Wait()

	for _, known := range knownDifferences {
		fmt.Printf("  %6d x %s\n", seen[known.name], known.name)
		if seen[known.name] == 0 {
			problems = append(problems, fmt.Errorf("no text shows the known difference %q any more: take it off the list", known.name))
		}
	}
	total := alike + refused + differences
	for _, times := range seen {
		total += times
	}
	fmt.Printf("%d texts (%d files of documents), %d read alike, %d refused by both, %d with a difference, seed %d, %.0f s\n", total, streams, alike, refused,
		differences, seed, time.Since(began).Seconds())
	if alike < total/4 || refused < total/20 {
		problems = append(problems, errors.New("the generator hardly tries both sides"))
	}
	slices.SortStableFunc(problems, func(a, b error) int { return len(a.Error()) - len(b.Error()) })
	if more := len(problems) - problemsShown; more > 0 {
		problems = append(problems[:problemsShown], fmt.Errorf("... and %d more", more))
	}
	return errors.Join(problems...)
}

// read asks our reader for all texts in one process.
func read(reader string, texts []string, asStream bool) ([]answer, error) {
	command := exec.Command(reader)
	if asStream {
		command.Args = append(command.Args, "--stream")
	}
	var input strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&input, "%d\n%s", len(text), text)
	}
	command.Stdin, command.Stderr = strings.NewReader(input.String()), os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	var answers []answer
	var current answer
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				return nil, err
			}
			break
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "end":
			answers = append(answers, current)
			current = answer{}
		case strings.HasPrefix(line, "problem: "):
			current.problem = strings.TrimPrefix(line, "problem: ")
			current.raw = append(current.raw, line)
		default:
			value, err := parseJSON([]byte(line))
			if err != nil {
				return nil, fmt.Errorf("Fluxgate writes %q, which is no JSON: %w", line, err)
			}
			current.objects = append(current.objects, value)
			current.raw = append(current.raw, line)
		}
	}
	if err := command.Wait(); err != nil {
		return nil, fmt.Errorf("the reader: %w", err)
	}
	if len(answers) != len(texts) {
		return nil, fmt.Errorf("%d answers for %d texts", len(answers), len(texts))
	}
	return answers, nil
}
