package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// What differs on purpose, and why. The first that fits counts; one that no text shows is an error.
var knownDifferences = []struct {
	name   string // with the reason
	stream bool   // of files of documents
	is     func(c comparison) bool
}{
	{"kubectl drops what follows the first value of a document; we read or refuse it", false, func(c comparison) bool {
		if c.err != nil {
			return false
		}
		if c.ours.problem != "" && slices.ContainsFunc(c.beginnings(), func(text string) bool {
			value, err := meaning(text)
			return err == nil && reflect.DeepEqual(c.theirs, value)
		}) {
			return true
		}
		count := len(objects(c.theirs))
		return c.theirs != nil && len(c.ours.raw) > count && len(c.ours.objects) >= count && same(c.ours.objects[:count], objects(c.theirs))
	}},
	{"the strict reader takes the override of a merged key for a key twice; the value is the same", false, func(c comparison) bool {
		value, ok := merged(c)
		return ok && same(c.ours.objects, objects(value))
	}},
	{"a key before << loses to it in kubectl; in kustomize and the specification what is written in the mapping wins", false, func(c comparison) bool {
		_, ok := merged(c)
		return ok
	}},
	{"<< twice in a mapping is refused, as kustomize does", false, func(c comparison) bool {
		return strings.HasPrefix(c.ours.problem, "duplicate_key") && strings.Count(c.text, "<<") > 1
	}},
	{"keys that only become the same text in JSON are refused; kubectl takes any of them", false, func(c comparison) bool {
		return c.err == nil && strings.HasPrefix(c.ours.problem, "duplicate_key")
	}},
	{"words such as yes and on are refused as values, and are themselves as keys: booleans to kubectl, text to kustomize and so to Flux", false, func(c comparison) bool {
		return (c.err == nil || strings.Contains(c.err.Error(), "already set in map")) && oldBoolean.MatchString(c.text)
	}},
	{"!!binary is refused: kubectl sends the decoded bytes, which is hardly meant", false, func(c comparison) bool {
		return c.err == nil && strings.HasPrefix(c.ours.problem, "invalid_yaml") && strings.Contains(c.text, "!!binary")
	}},
	{"!!timestamp is text, and no date is asked for", false, func(c comparison) bool {
		return c.err != nil && strings.Contains(c.err.Error(), "as a !!timestamp")
	}},
	{"JSON that is no UTF-8 is refused; kubectl replaces the bytes", false, func(c comparison) bool {
		return c.err == nil && !utf8.ValidString(c.text) && bytes.HasPrefix(bytes.TrimSpace([]byte(c.text)), []byte("{"))
	}},
	{`in double quotes libyaml 0.2.5 reads \/ and go-yaml does not; go-yaml reads \' and libyaml does not`, false, func(c comparison) bool {
		return c.err != nil && strings.Contains(c.err.Error(), "unknown escape character") && strings.Contains(c.text, `\/`) ||
			c.err == nil && strings.HasPrefix(c.ours.problem, "invalid_yaml") && strings.Contains(c.text, `\'`)
	}},
	{"within brackets one refuses a question mark or colon in unquoted text that the other reads (libyaml 0.2.5 and go-yaml)", false, func(c comparison) bool {
		return (c.err != nil) != (c.ours.problem != "") && textInBrackets.MatchString(c.text)
	}},
	{"libyaml 0.2.5 ends a tag before a comma or bracket; for go-yaml they belong to it", false, func(c comparison) bool {
		return tagWithIndicator.MatchString(c.text)
	}},

	{"words such as yes and on are refused as values, and are themselves as keys", true, func(c comparison) bool {
		return c.err == nil && oldBoolean.MatchString(c.text)
	}},
	{"kubectl refuses anything but a comment behind ---; we read it as YAML does", true, func(c comparison) bool {
		return c.err != nil && strings.Contains(c.err.Error(), "invalid Yaml document separator")
	}},
	{"kubectl's decoder takes the last of two keys; its validation refuses them, as we do", true, func(c comparison) bool {
		return c.err == nil && strings.Contains(strings.Join(c.ours.raw, " "), "problem: duplicate_key")
	}},
	{"kubectl takes the --- before a directive away, so that it is at the beginning", true, func(c comparison) bool {
		return c.err == nil && strings.HasPrefix(c.ours.problem, "invalid_yaml") && strings.Contains(c.text, "%YAML")
	}},
	{"kubectl refuses --- or YAML behind JSON; we cut there", true, func(c comparison) bool {
		return c.err != nil && strings.Contains(c.err.Error(), "invalid character")
	}},
	{"kubectl drops what follows the first value of a document; we read it or say why not", true, func(c comparison) bool {
		theirs, _ := c.theirs.([]any)
		return c.err == nil && len(c.ours.raw) > len(theirs) && contains(c.ours.objects, theirs)
	}},
	{"kubectl refuses ... without a value before it; YAML has an empty document there", true, func(c comparison) bool {
		return c.err != nil && strings.Contains(c.err.Error(), "expected node content") && strings.Contains(c.text, "...")
	}},
}

// before gives the text up to where our problem is.
func (c comparison) before() string {
	var code string
	var line, column int
	if _, err := fmt.Sscanf(strings.ReplaceAll(c.ours.problem, ":", " "), "%s %d %d", &code, &line, &column); err != nil {
		return ""
	}
	lines := strings.SplitAfter(c.text, "\n")
	if line > len(lines) {
		return c.text
	}
	last := []rune(lines[line-1])
	return strings.Join(lines[:line-1], "") + string(last[:min(len(last), column-1)])
}

// beginnings gives what may be the first value of the text: up to our problem, up to the end of the first brackets, the first line.
func (c comparison) beginnings() []string {
	texts := []string{c.before()}
	if end := strings.IndexAny(c.text, "]}"); end >= 0 {
		texts = append(texts, c.text[:end+1])
	}
	switch c.theirs.(type) {
	case []any, map[string]any:
	default:
		first, _, _ := strings.Cut(c.text, "\n")
		texts = append(texts, first+"\n")
	}
	return texts
}

// contains says whether all of `some` are in `values`, in that order.
func contains(values, some []any) bool {
	for _, value := range values {
		if len(some) > 0 && reflect.DeepEqual(value, some[0]) {
			some = some[1:]
		}
	}
	return len(some) == 0
}

var textInBrackets = regexp.MustCompile(`(?s)[\[{].*(\?|:[,\[\]{}"':]|:$)`)
var oldBoolean = regexp.MustCompile(`(?i)\b(y|yes|n|no|on|off)\b`)
var tagWithIndicator = regexp.MustCompile(`![^\s]*[,\[\]{}]`)

// merged gives what kubectl reads without being strict, if the strict reader found a key twice in a text with merge keys.
func merged(c comparison) (any, bool) {
	if c.err == nil || c.ours.problem != "" || !strings.Contains(c.text, "<<") || !strings.Contains(c.err.Error(), "already set in map") {
		return nil, false
	}
	converted, err := yaml.YAMLToJSON([]byte(c.text))
	if err != nil {
		return nil, false
	}
	value, err := parseJSON(converted)
	return value, err == nil
}
