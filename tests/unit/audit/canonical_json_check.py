"""Writes each JSON text it reads, a line each, again as RFC 8785 says, by another hand than ours, and tells the first that differs."""

import json
import sys


def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(json.dumps(key, ensure_ascii=False) + ":" + canonical(item) for key, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        raise ValueError("a number that is no integer")
    return json.dumps(value, ensure_ascii=False)


def unique(members):
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise ValueError("a name twice")
    return dict(members)


lines = 0
for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
    text = line.decode("utf-8")
    lines += 1
    if canonical(json.loads(text, object_pairs_hook=unique)) != text:
        sys.exit(f"line {lines} is not canonical: {text}")
if lines == 0:
    sys.exit("nothing to look at")
print(f"{lines} canonical texts")
