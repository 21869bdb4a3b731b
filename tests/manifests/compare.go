package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	refused    bool
	known      string
	difference error
}

// A comparison of one document.
type comparison struct {
	text   string
	ours   answer
	theirs any   // if they could read it
	err    error // or why not
}

var errDuplicate = errors.New("a key twice")

// meaning is what kubectl reads in a document: JSON if it begins like JSON and is, else YAML. Strict about duplicate keys.
func meaning(text string) (any, error) {
	if utilyaml.IsJSONBuffer([]byte(text)) {
		var value any
		strict, err := kjson.UnmarshalStrict([]byte(text), &value)
		if err == nil {
			if len(strict) > 0 {
				return nil, errDuplicate
			}
			return normal(value), nil
		}
	}
	converted, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, err
	}
	return parseJSON(converted)
}

func parseJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return normal(value), nil
}

// normal makes every number a float64: numbers are the same if their values are.
func normal(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = normal(value[key])
		}
	case []any:
		for i := range value {
			value[i] = normal(value[i])
		}
	case json.Number:
		number, err := value.Float64()
		if err != nil {
			return math.Inf(1)
		}
		return number
	case int64:
		return float64(value)
	}
	return value
}

// objects is what Fluxgate should give out for a value: nothing for a null, the items of a List.
func objects(value any) []any {
	if value == nil {
		return nil
	}
	list, _ := value.(map[string]any)
	apiVersion, _ := list["apiVersion"].(string)
	kind, _ := list["kind"].(string)
	items, isList := list["items"].([]any)
	if !isList || apiVersion == "" || kind == "" {
		return []any{value}
	}
	all := []any{}
	for _, item := range items {
		object, isObject := item.(map[string]any)
		_, hasVersion := object["apiVersion"]
		_, hasKind := object["kind"]
		if kind := strings.TrimSuffix(kind, "List"); isObject && !hasVersion && !hasKind && kind != "" && strings.HasSuffix(list["kind"].(string), "List") {
			typed := map[string]any{"apiVersion": apiVersion, "kind": kind}
			for key, field := range object {
				typed[key] = field
			}
			item = typed
		}
		if item == nil { // a document of nothing is passed over, an item is not
			all = append(all, nil)
			continue
		}
		all = append(all, objects(item)...)
	}
	return all
}

func same(left, right []any) bool {
	return len(left) == len(right) && (len(left) == 0 || reflect.DeepEqual(left, right))
}

func compare(text string, ours answer, asStream bool) verdict {
	if asStream {
		return compareStream(text, ours)
	}
	theirs, err := meaning(text)
	if err == nil && ours.problem == "" && same(ours.objects, objects(theirs)) {
		return verdict{}
	}
	if err != nil && ours.problem != "" {
		return verdict{refused: true}
	}
	return judge(comparison{text, ours, theirs, err}, false)
}

func judge(c comparison, stream bool) verdict {
	for _, known := range knownDifferences {
		if known.stream == stream && known.is(c) {
			return verdict{known: known.name}
		}
	}
	wrote, _ := json.Marshal(c.theirs)
	if c.err != nil {
		wrote = []byte(c.err.Error())
	}
	return verdict{difference: fmt.Errorf("--- text\n%s\n--- %q\nkubectl  reads %s\nFluxgate reads %s", c.text, c.text, wrote, strings.Join(c.ours.raw, "\n               "))}
}

// split gives the documents that kubectl sees in a file of YAML.
func split(text string) ([]string, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var documents []string
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return documents, nil
		}
		if err != nil {
			return documents, err
		}
		documents = append(documents, string(document))
	}
}

// everything is what kubectl reads in a file, document by document until the first it refuses.
func everything(text string) ([]any, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	var values []any
	for {
		var value any
		if err := decoder.Decode(&value); err == io.EOF {
			return values, nil
		} else if err != nil {
			return values, err
		}
		values = append(values, objects(normal(value))...)
	}
}

func compareStream(text string, ours answer) verdict {
	values, err := everything(text)
	if err == nil && ours.problem == "" && same(ours.objects, values) {
		return verdict{}
	}
	if err != nil && ours.problem != "" {
		return verdict{refused: true}
	}
	return judge(comparison{text, ours, values, err}, true)
}
