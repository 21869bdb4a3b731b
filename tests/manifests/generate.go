package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

type generator struct{ random *rand.Rand }

func newGenerator(seed, batch uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, batch))}
}

func pick[T any](g *generator, some []T) T   { return some[g.random.IntN(len(some))] }
func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

// text makes one document, or a file of documents.
func (g *generator) text(asStream bool) string {
	if asStream {
		return g.stream()
	}
	text := g.document()
	if g.chance(20) {
		text = g.mutated(text)
	}
	if g.chance(5) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if g.chance(1) {
		text = "\ufeff" + text
	}
	// Such lines end a document; files of documents have them.
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "---") {
			lines[i] = " " + line
		}
	}
	return strings.Join(lines, "")
}

func (g *generator) document() string {
	switch g.random.IntN(20) {
	case 0, 1:
		return "a: " + g.scalar() + "\n"
	case 2:
		return g.scalar() + "\n"
	case 3, 4, 5, 6:
		return g.json()
	case 7, 8, 9:
		return pick(g, templates)
	case 10:
		return g.anchored()
	case 11:
		return g.flow(3) + "\n"
	default:
		return g.block(0, 4)
	}
}

var words = []string{
	"y", "Y", "yes", "Yes", "YES", "yEs", "n", "N", "no", "No", "NO", "nO", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "on", "On", "ON", "oN",
	"off", "Off", "OFF", "oFF", "~", "null", "Null", "NULL", "nULL", "nil", "", "<<", "=", "-", "--", "---", "...", ".", "..", "?", ":", "!", "&", "*", "%", "@", "`",
	".inf", ".Inf", ".INF", ".iNf", "+.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN", "+.nan", "-.nan", "inf", "Infinity", "NaN", "nan",
	"0", "-0", "+0", "00", "1", "-1", "+1", "12", "0777", "08", "09", "0o17", "0O17", "0o", "0o8", "0x", "0x1F", "0X1f", "-0x10", "+0x10", "0xg", "0b101", "0B11",
	"0b", "-0b11", "+0b11", "0b-11", "0b+11", "-0b-1", "0b2", "1_000", "_1", "1_", "1__0", "0_7", "0x_F", "1_0.5_0", "._5", ".5_0", "1:30", "1:30.5", "190:20:30",
	"1.", "1.5", ".5", "-.5", "+.5", "5.", "1e3", "1E3", "1e+3", "1e-3", "1.5e3", "1e", "e1", ".e1", "1e400", "-1e400", "1e-400", "1.e1", "0e0", "1e6", "1e21", "123456789.5",
	"16777217.5", "0.0001", "0.00001", "3.4e38", "1e39", "-1e39", "0x1p3", "0x1.8p1", "1.5.2", "1-2", "12e03", "0.1", "1e5", "100000.5", "999999.9", "4.9e-324", "1e-45", "1e-46",
	"18446744073709551615", "18446744073709551616", "-18446744073709551615", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
	"-9223372036854775809", "+18446744073709551615", "+9223372036854775808", "0xffffffffffffffff", "0x10000000000000000", "01777777777777777777777", "9007199254740993",
	"2026-11-21", "2026-11-21T10:00:00Z", "2026-11-21 10:00:00", "2026-1-2", "2026-13-41", "2026-", "100m", "1Gi", "v1", "apps/v1", "a.b/c", "web", "x-y_z", "a b", "a#b", "a #b",
	"a:b", "a: b", "http://x:80/y", "[", "]", "{", "}", ",", "a,b", "a]b", "a}b", "\t", "a\tb", "ä", "日本", "😀", "\u00a0", "\u2028", "\u0085", "\u200b", "\ufffd",
	"\x7f", "\u0080", "\ufffe", "\x00", "\x01", "\xff", "\xc3", "\xed\xa0\x80", "{{ .Values.x }}", "$(VAR)", "%x", "@x", "`x`", "!x", "|", ">", "|x", "- x", "? x",
}

var tags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!!merge", "!", "!x", "!<tag:yaml.org,2002:str>", "!!seq", "!!map", "!!set", "!e!x", "!!"}

func (g *generator) scalar() string {
	word := pick(g, words)
	switch g.random.IntN(12) {
	case 0:
		return g.doubleQuoted()
	case 1:
		return "'" + strings.ReplaceAll(word, "'", "''") + "'"
	case 2:
		return pick(g, tags) + " " + word
	case 3:
		return pick(g, tags) + " " + g.doubleQuoted()
	case 4:
		return word + pick(g, []string{" # comment", "# none", " ", "\t", " #", "\t# c"})
	case 5:
		return fmt.Sprint(g.random.Int64N(1 << uint(1+g.random.IntN(62))))
	case 6:
		return fmt.Sprintf(pick(g, []string{"%g", "%f", "%.3f", "%e", "0x%x", "%o"}), g.number())
	default:
		return word
	}
}

func (g *generator) number() float64 {
	return (g.random.Float64() - 0.5) * pick(g, []float64{1, 10, 1e3, 1e6, 1e9, 1e18, 1e21, 1e40, 1e-5, 1e-40})
}

var escapes = []string{`\n`, `\t`, `\"`, `\\`, `\/`, `\0`, `\a`, `\b`, `\e`, `\f`, `\r`, `\v`, `\ `, `\_`, `\N`, `\L`, `\P`, `\x41`, `\xff`, `\u263a`, `\ud83d\ude00`, `\ud83d`, `\ude00`,
	`\uD83D`, `\U0001f600`, `\U00110000`, `\u12`, `\q`, `\'`, "\\\n  ", "\n  ", "\n\n", "'", " ", "#", ": ", "{", "\t", "\\\t"}

func (g *generator) doubleQuoted() string {
	var text strings.Builder
	for range g.random.IntN(4) {
		if g.chance(50) {
			text.WriteString(pick(g, escapes))
		} else {
			text.WriteString(strings.ReplaceAll(strings.ReplaceAll(pick(g, words), `\`, `\\`), `"`, `\"`))
		}
	}
	return `"` + text.String() + `"`
}

func (g *generator) key() string {
	switch g.random.IntN(14) {
	case 0:
		return g.scalar()
	case 1:
		return g.doubleQuoted()
	case 2:
		return "? " + pick(g, words) + "\n"
	case 3:
		return pick(g, words)
	case 4:
		if g.chance(5) {
			return strings.Repeat("k", 1000+g.random.IntN(60))
		}
		return "<<"
	default:
		return pick(g, []string{"a", "b", "c", "d", "e", "f", "name", "spec", "kind", "items", "app.kubernetes.io/name"})
	}
}

// block writes a mapping or a sequence in block style, that ends with a line break.
func (g *generator) block(indent, depth int) string {
	pad := strings.Repeat(" ", indent)
	var text strings.Builder
	count := 1 + g.random.IntN(4)
	isSequence := g.chance(30)
	for range count {
		if g.chance(6) {
			text.WriteString(pick(g, []string{"\n", "# c\n", pad + "# c\n", "  \n", "\t\n", "   # x\n"}))
		}
		text.WriteString(pad)
		if isSequence {
			text.WriteString("-")
		} else {
			text.WriteString(g.key() + ":")
		}
		switch kind := g.random.IntN(14); {
		case kind < 3 && depth > 0 && isSequence:
			text.WriteString(" " + strings.TrimPrefix(g.block(indent+2, depth-1), pad+"  "))
		case kind < 3 && depth > 0:
			text.WriteString(pick(g, []string{"\n", " # c\n", " &x\n", " !!map\n", " \n"}) + g.block(indent+pick(g, []int{2, 2, 2, 4, 1, 0}), depth-1))
		case kind == 3:
			text.WriteString(" " + g.blockScalar(pad) + "")
		case kind == 4:
			text.WriteString(" " + g.flow(2) + "\n")
		case kind == 5:
			text.WriteString(" &" + pick(g, []string{"x", "y"}) + " " + g.scalar() + "\n")
		case kind == 6:
			text.WriteString(" *" + pick(g, []string{"x", "y"}) + "\n")
		case kind == 7:
			text.WriteString(" " + pick(g, words) + "\n" + pad + "  " + pick(g, words) + "\n")
		case kind == 8 && g.chance(30):
			text.WriteString("\t" + g.scalar() + "\n")
		default:
			text.WriteString(" " + g.scalar() + "\n")
		}
	}
	return text.String()
}

func (g *generator) blockScalar(pad string) string {
	header := pick(g, []string{"|", ">"}) + pick(g, []string{"", "", "+", "-", "2", "1", "2-", "+1", "0", "9", "x"}) + pick(g, []string{"", "", " # c", "# c", " "})
	var text strings.Builder
	text.WriteString(header + "\n")
	for range g.random.IntN(5) {
		text.WriteString(pick(g, []string{pad + "  line", pad + "    more", pad + "  # no comment", "", pad + "  a: b", pad + " x", pad + "  \ttab", pad + "   ", pad + "  trailing ", pad + "\t"}))
		text.WriteString("\n")
	}
	return text.String()
}

func (g *generator) flow(depth int) string {
	if depth == 0 {
		return pick(g, []string{g.scalar(), pick(g, []string{"a", "1", "'x'", `"y"`})})
	}
	space := func() string { return pick(g, []string{"", "", " ", "  ", "\n ", "\t", " # c\n "}) }
	var parts []string
	isMapping := g.chance(60)
	for range g.random.IntN(4) {
		value := g.flow(depth - 1 - g.random.IntN(depth))
		if isMapping {
			key := pick(g, []string{"a", "b", "c", `"d"`, "'e'", "1", "? f", g.key()})
			value = key + space() + ":" + pick(g, []string{" ", " ", ""}) + space() + value
		}
		parts = append(parts, space()+value+space())
	}
	text := strings.Join(parts, ",")
	if g.chance(10) {
		text += ","
	}
	if isMapping {
		return "{" + text + "}"
	}
	return "[" + text + "]"
}

func (g *generator) value(depth int) any {
	switch g.random.IntN(9) {
	case 0:
		return pick(g, []any{nil, true, false})
	case 1:
		return g.number()
	case 2:
		return g.random.Int64()
	case 3, 4:
		return pick(g, words) + pick(g, words)
	case 5:
		return g.random.IntN(10)
	}
	if depth == 0 {
		return "x"
	}
	if g.chance(40) {
		items := []any{}
		for range g.random.IntN(4) {
			items = append(items, g.value(depth-1))
		}
		return items
	}
	return g.object(depth - 1)
}

func (g *generator) object(depth int) map[string]any {
	object := map[string]any{}
	for range g.random.IntN(5) {
		key := pick(g, []string{"a", "b", "kind", "items", "spec", pick(g, words)})
		object[key] = g.value(depth)
	}
	return object
}

func (g *generator) json() string {
	object := g.object(4)
	if g.chance(2) {
		object[strings.Repeat("k", 2000)] = 1
	}
	text, _ := json.Marshal(object)
	if g.chance(40) {
		text, _ = json.MarshalIndent(object, "", pick(g, []string{"  ", "\t", ""}))
	}
	result := string(text)
	if g.chance(30) {
		result = strings.Replace(result, `"`, `"`+pick(g, []string{`\ud83d\ude00`, `\ud83d`, `\/`, `\u0000`, `\uDE00\uD83D`, "\t", `\b\f`, `\ud83dx`, "\x7f"}), 1)
	}
	if g.chance(20) {
		result = pick(g, []string{" ", "\n", "\t", "\r\n", "# c\n", "\u00a0", "\v"}) + result
	}
	if g.chance(30) {
		result += pick(g, []string{"\n", " \n", "\t", "\n\n", " # c\n", "\n# c\n", "x", "{}", "\n...\n", "\nb: 1\n", ","})
	}
	return result
}

func (g *generator) anchored() string {
	return pick(g, []string{"base: &b {cpu: 1, memory: 2}\n", "base: &b\n  cpu: 1\n  list: [1]\n", "base: &b [{cpu: 3}]\n", "base: &b x\n", "base: &b {<<: {cpu: 7}, memory: 1}\n"}) +
		pick(g, []string{"other: &o {cpu: 3, disk: 4}\n", "other: &o *b\n", "other: &o {<<: *b, disk: 1}\n", "other: &o {}\n"}) +
		pick(g, []string{"mine: {<<: *b, cpu: 5}\n", "mine: {cpu: 5, <<: *b}\n", "mine:\n  <<: [*b, *o]\n  disk: 9\n", "mine: {<<: *o}\n", "mine: {<<: *b, <<: *o}\n",
			"mine: [*b, *o]\n", "*b : 1\n", "mine: {<<: {x: 1}}\n", "mine: {<<: [*b, {x: 1}, [*o]]}\n", "mine: {\"<<\": *b}\n", "mine: {!!merge <<: *o}\n", "mine: {<<: *b, disk: 1, disk: 2}\n",
			"mine: {<<: null}\n", "mine: &m [*m]\n", "mine: &b {x: *b}\n", "mine: *none\n", "mine: &b 2\nlast: *b\n", "mine: {!!merge \"<<\": *o}\n", "mine: {!!str <<: *o}\n"})
}

var templates = []string{
	`apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web, "app.kubernetes.io/name": web}
  annotations:
    note: >-
      folded text
      goes on
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web
        image: registry.example/web:1.2.3
        args: ["--port=80", '--name=x', -v]
        resources:
          limits: {cpu: 100m, memory: 1Gi}
        securityContext:
          runAsNonRoot: true
          runAsUser: 0777
`,
	`# a comment
apiVersion: v1
kind: ConfigMap
metadata:
  name: config
data:
  app.conf: |
    listen 80;
    # not a comment
    --- not a separator

    end
  script: |-
    #!/bin/sh
    echo "x: y"
  empty: ""
`,
	`apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: a}
- {apiVersion: v1, kind: Secret, metadata: {name: b}, stringData: {password: "a\tb"}}
`,
	"a:\n  1: x\n  b: y\n  \"1\": z\n",
	"1: a\n1.0: b\n",
	`{
  "apiVersion": "v1",
  "kind": "Service",
  "metadata": {"name": "web", "annotations": {"x": "é 😀 é"}},
  "spec": {"ports": [{"port": 80, "targetPort": "http"}], "clusterIP": null}
}
`,
}

func (g *generator) mutated(text string) string {
	bytes := []byte(text)
	for range 1 + g.random.IntN(3) {
		if len(bytes) == 0 {
			break
		}
		at := g.random.IntN(len(bytes))
		switch g.random.IntN(6) {
		case 0:
			bytes[at] ^= 1 << g.random.IntN(8)
		case 1:
			bytes = append(bytes[:at], bytes[at+1:]...)
		case 2:
			bytes = append(bytes[:at], append([]byte(pick(g, []string{" ", "\t", ":", "-", "#", "\"", "'", "{", "}", "[", "]", ",", "&a ", "*a ", "|", ">", "!", "%", "\n", "\r", "?"})), bytes[at:]...)...)
		case 3:
			bytes = bytes[:at]
		default:
			lines := strings.SplitAfter(string(bytes), "\n")
			line := g.random.IntN(len(lines))
			if g.chance(50) {
				lines = append(lines[:line], append([]string{lines[line]}, lines[line:]...)...)
			} else {
				lines = append(lines[:line], lines[line+1:]...)
			}
			bytes = []byte(strings.Join(lines, ""))
		}
	}
	return string(bytes)
}

// stream makes a file of documents.
func (g *generator) stream() string {
	var text strings.Builder
	if g.chance(5) {
		text.WriteString("\ufeff")
	}
	isJSON := g.chance(30)
	for range g.random.IntN(6) {
		if isJSON {
			object, _ := json.Marshal(map[string]any{"a": g.random.IntN(9), "b": pick(g, []any{"}{", "\"\\", "\n---\n", []int{1}, nil})})
			if g.chance(20) {
				object, _ = json.MarshalIndent(map[string]any{"a": map[string]any{"b": "}"}}, "", "  ")
			}
			text.WriteString(string(object) + pick(g, []string{"\n", "\n", "", " ", "\n\n", "\r\n", "\n---\n"}))
			continue
		}
		text.WriteString(pick(g, []string{"---\n", "---\n", "---\n", "--- # c\n", "---\r\n", "---\t\n", "--- \n", "---\n---\n", "", "...\n---\n", "---x\n", "--- {b: 1}\n", "----\n", " ---\n"}))
		text.WriteString(pick(g, []string{"a: 1\n", "a: |\n  x\n  --- y\n", "a: |\n  x\n\n", "# only a comment\n", "\n", "", "a: b\r\nc: d\r\n", "{\"a\": 1}\n", "a: \"x\n ---\"\n", "a: [\n", "~\n", "- 1\n- 2\n",
			"kind: List\nitems:\n- a: 1\n- a: 2\n", "a: 1", "x", "%YAML 1.1\n", pick(g, templates)}))
	}
	return text.String()
}
