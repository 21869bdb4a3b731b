// Asks Fluxgate's rule `podSecurity` and Kubernetes' own Pod Security about the same workloads, at every level and version,
// and wants the same checks to refuse the same ones. `run` builds and starts it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

var levels = []string{"privileged", "baseline", "restricted"}

// Newer than the module knows: judged, by both, as its newest.
const newestMinor = 37

func versions() []string {
	list := []string{"latest", "v1.38", "v1.99"}
	for minor := range newestMinor + 1 {
		list = append(list, fmt.Sprint("v1.", minor))
	}
	return list
}

const problemsShown = 5

type combination struct {
	level, version string
	stream         uint64
}

// What messages call the version: a newer one by the version that it is judged as.
func (c combination) named() string {
	if c.version == "v1.38" || c.version == "v1.99" {
		return fmt.Sprint("v1.", newestMinor)
	}
	return c.version
}

type tally struct {
	pods, denied int
	checks       map[string][2]int // passed, failed
}

func (t *tally) add(other tally) {
	t.pods += other.pods
	t.denied += other.denied
	for id, counts := range other.checks {
		sum := t.checks[id]
		t.checks[id] = [2]int{sum[0] + counts[0], sum[1] + counts[1]}
	}
}

func main() {
	binary := flag.String("fluxgate", os.Getenv("FLUXGATE"), "the binary under test")
	pods := flag.Int("pods", 123_000, "how many workloads, over all levels and versions")
	seed := flag.Uint64("seed", 1, "of the workloads; 0 takes one from the clock")
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	fmt.Printf("podSecurity against k8s.io/pod-security-admission: seed %d\n", *seed)
	if err := run(*binary, *pods, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Fprintf(os.Stderr, "podSecurity differs or could not be compared; again with: tests/podsecurity/run -seed %d -pods %d\n", *seed, *pods)
		os.Exit(1)
	}
}

func run(binary string, pods int, seed uint64) error {
	began := time.Now()
	folder, err := os.MkdirTemp("", "fluxgate-podsecurity-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	work := make(chan combination)
	var mutex sync.Mutex
	var problems []error
	differences := 0
	total := tally{checks: map[string][2]int{}}
	var workers sync.WaitGroup
	combinations := len(levels) * len(versions())
	each := (pods + combinations - 1) / combinations
	for range runtime.NumCPU() {
		workers.Go(func() {
			for c := range work {
				counted, err := compare(binary, folder, c, seed, each)
				mutex.Lock()
				total.add(counted)
				if err != nil {
					problems = append(problems, err)
					differences++
				}
				mutex.Unlock()
			}
		})
	}
	stream := uint64(0)
	for _, version := range versions() {
		for _, level := range levels {
			stream++
			work <- combination{level, version, stream}
		}
	}
	close(work)
	workers.Wait()

	ids := make([]string, 0, len(total.checks))
	for id := range total.checks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		counts := total.checks[id]
		fmt.Printf("  %-27s %7d passed %7d failed\n", id, counts[0], counts[1])
		if least := (counts[0] + counts[1]) / 5; counts[0] < least || counts[1] < least {
			problems = append(problems, fmt.Errorf("the generator hardly tries both sides of %s", id))
		}
	}
	fmt.Printf("%d workloads, %d denied, %d levels and versions, %d of them with a difference, seed %d, %.0f s\n", total.pods, total.denied, combinations,
		differences, seed, time.Since(began).Seconds())
	if more := len(problems) - problemsShown; more > 0 {
		problems = append(problems[:problemsShown], fmt.Errorf("... and %d more", more))
	}
	return errors.Join(problems...)
}

// compare asks for the whole level, and then for parts of it. It stops at the first difference, and makes it small.
func compare(binary, folder string, c combination, seed uint64, count int) (tally, error) {
	counted := tally{checks: map[string][2]int{}}
	module, err := newReference()
	if err != nil {
		return counted, err
	}
	generator := newGenerator(seed, c.stream)
	subjects := make([]subject, count)
	for i := range subjects {
		subjects[i] = generator.subject()
	}
	asked, err := c.compare(binary, folder, nil, module, subjects, &counted)
	if err != nil || len(asked) == 0 {
		return counted, err
	}
	// Every check of the level is in one part, so this also shows that both give the level the same checks.
	generator.random.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	cut := 1 + generator.random.IntN(len(asked)-1)
	aside := tally{checks: map[string][2]int{}}
	for _, part := range [][]string{asked[:cut], asked[cut:]} {
		if _, err := c.compare(binary, folder, part, module, subjects[:min(count, 200)], &aside); err != nil {
			return counted, err
		}
	}
	return counted, nil
}

// compare asks for all checks, or only some, and gives the ids of all that the level has.
func (c combination) compare(binary, folder string, only []string, module *reference, subjects []subject, counted *tally) ([]string, error) {
	g, err := newGuard(binary, folder, c.level, c.version, only)
	if err != nil {
		return nil, err
	}
	answers, err := g.judge(subjects)
	if err != nil {
		return nil, err
	}
	var asked []string
	for i, s := range subjects {
		ours, theirs, err := both(module, s, answers[i], c, only)
		if err != nil {
			return nil, err
		}
		counted.pods++
		if len(theirs) > 0 {
			counted.denied++
		}
		if len(module.asked) > 0 {
			asked = slices.Clone(module.asked)
		}
		for _, id := range module.asked {
			counts := counted.checks[id]
			if slices.Contains(theirs, id) {
				counts[1]++
			} else {
				counts[0]++
			}
			counted.checks[id] = counts
		}
		if !slices.Equal(ours, theirs) {
			return nil, explain(g, module, s, c, only)
		}
	}
	return asked, nil
}

func both(module *reference, s subject, a answer, c combination, only []string) (ours, theirs []string, err error) {
	object, err := json.Marshal(s.object)
	if err != nil {
		return nil, nil, err
	}
	if theirs, err = module.judge(s.kind, object, c.level, c.version); err != nil {
		return nil, nil, fmt.Errorf("%s %s: Kubernetes cannot judge %s: %w", c.level, c.version, object, err)
	}
	if ours, err = a.checks(c.level, c.named()); err != nil {
		return nil, nil, fmt.Errorf("%s %s: Fluxgate on %s: %w", c.level, c.version, object, err)
	}
	if only != nil {
		theirs = minus(theirs, minus(theirs, only))
	}
	return ours, slices.Clone(theirs), nil
}

func explain(g guard, module *reference, s subject, c combination, only []string) error {
	ask := func(candidate subject) (ours, theirs []string, a answer, err error) {
		answers, err := g.judge([]subject{candidate})
		if err != nil {
			return nil, nil, answer{}, err
		}
		ours, theirs, err = both(module, candidate, answers[0], c, only)
		return ours, theirs, answers[0], err
	}
	first, second, _, err := ask(s)
	if err != nil {
		return err
	}
	s = smallest(s, func(candidate subject) bool {
		ours, theirs, _, err := ask(candidate)
		return err == nil && slices.Equal(minus(ours, theirs), minus(first, second)) && slices.Equal(minus(theirs, ours), minus(second, first))
	})
	ours, theirs, a, err := ask(s)
	object, _ := json.MarshalIndent(s.object, "", "  ")
	return fmt.Errorf("%s %s (checks %q), %s %s:\n%s\nKubernetes refuses by %q\nFluxgate   refuses by %q: %v %v", c.level, c.version, only, s.kind, s.subresource,
		object, theirs, ours, a.Violations, err)
}

func minus(some, others []string) []string {
	return slices.DeleteFunc(slices.Clone(some), func(id string) bool { return slices.Contains(others, id) })
}
