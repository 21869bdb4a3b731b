"""The JSON Schema and the loader say the same about policy files, and the schema knows every field that the loader reads."""

import copy
import json
import pathlib
import re
import subprocess
import unittest

import jsonschema
import yaml

from support import BINARY, SOON, Stage

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((SOURCE / "deploy/policies/schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


class Core(yaml.SafeLoader):
    """Plain scalars as YAML 1.2 has them, which is what editors and Fluxgate read."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
]:
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def documents(text):
    return [document for document in yaml.load_all(text, Core) if document is not None]


def refusals(document):
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATOR.iter_errors(document)]


# --- examples: together they use every field --------------------------------------------------------------------------

POLICY = "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: %s}\nspec:\n"
BASE = POLICY % "base" + "  rules: [{name: probes, probes: {all: [readinessProbe]}}]\n"

RULES = {
    "lock": [
        "{writers: [flux, kubernetes], scope: object}",
        "{writers: [{name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}, aks, cert-manager]}",
        "{writers: [flux], scope: fields, additions: {action: Warn, allow: ['.metadata.annotations[\"team.example.com/*\"]', .spec.replicas]}}",
        "{writers: [flux], scope: fields, additions: {action: Deny, allow: []}}",
        '{writers: [flux], breakGlass: {maxDuration: 1h30m, approverKeys: ["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]}}',
        "{writers: [flux], breakGlass: {maxDuration: 24h, approverKeys: []}}",
    ],
    "resources": [
        "{requests: [cpu, memory, nvidia.com/gpu, hugepages-2Mi], limits: [memory], min: {cpu: 10m}, max: {memory: 4Gi, cpu: 2},"
        " maxLimitRequestRatio: {memory: '2', cpu: 1.5}, containerTypes: [containers, initContainers, sidecars]}",
        "{max: {memory: .5Gi, cpu: 1e3, ephemeral-storage: +1E2}}",
    ],
    "probes": ["{all: [readinessProbe], any: [livenessProbe, startupProbe], kinds: [Deployment, StatefulSet, DaemonSet]}"],
    "podSecurity": [
        "{level: restricted, version: v1.34, checks: [], exclude: [{check: capabilities_restricted, images: [myacr.azurecr.io/net-tool]}]}",
        "{level: baseline, version: latest, checks: [hostPorts, privileged]}",
        "{level: privileged}",
    ],
    "images": [
        "{registries: [myacr.azurecr.io, '*.azurecr.io/team', 'localhost:5000'], requireTag: true, denyTags: [latest, '*-dev'],"
        " requireDigest: false, pullPolicy: [Always]}",
        "{requireDigest: true, pullPolicy: []}",
    ],
    "requiredMetadata": ["{labels: {app.kubernetes.io/name: '', team: '[a-z-]+'}, annotations: {Example.com/runbook: ''}, kinds: [Deployment]}"],
    "availability": ["{minReplicas: 2, disruptionBudget: required, spread: required}"],
    "serviceAccount": ["{denyDefault: true, automount: false, unset: allow}", "{automount: false}"],
    "services": ["{denyTypes: [NodePort, LoadBalancer], externalIPs: [203.0.113.0/24, '2001:db8::/32']}", "{externalIPs: []}"],
    "ingress": ["{hosts: ['*.shop.example.com', shop.example.com], requireTLS: true, classes: [nginx]}"],
    "defaults": [
        "{podSecurity: restricted, automountServiceAccountToken: false, resources: {requests: {cpu: 50m}, limits: {memory: 256Mi}}}",
        "{automountServiceAccountToken: true}",
    ],
}

MATCH = """  match:
    namespaces: [production, "prod-*"]
    excludeNamespaces: [prod-sandbox]
    namespaceSelector: {matchLabels: {env: production, empty: ""}}
    objectSelector: {matchExpressions: [{key: example.com/team, operator: In, values: [a, b]}, {key: x, operator: Exists}]}
    names: ["web*"]
    resourceRules: [{apiGroups: ["", apps, "*"], apiVersions: [v1], resources: [pods, "*/scale", "*"], operations: [CREATE, UPDATE]}]
    excludeResourceRules: [{apiGroups: [""], resources: [events], operations: ["*"]}]
    subjects: [{kind: User, name: "alice*"}, {kind: Group, name: "a b"}, {kind: ServiceAccount, namespace: ci, name: "*"}]
    excludeSubjects: []
"""

EXCEPTION = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardException
metadata: {name: legacy-report, labels: {a: b}, annotations: {c: d}}
spec:
  policies: [{name: base, rules: [probes]}]
  match: {namespaces: [production], names: ["legacy-report*"]}
  containers: [report]
  reason: No HTTP endpoint.
  ticket: OPS-1234
  expiresAt: 2026-01-31T00:00:00+01:00
"""

WRITERS = """apiVersion: fluxgate.dev/v1alpha1
kind: WriterProfile
metadata: {name: team, labels: {a: b}, annotations: {c: d}}
spec:
  identities:
  - serviceAccount: {namespace: team-a, name: flux-applier}
    assurance: impersonated
    may: [{apiGroups: [apps, ""], apiVersions: [v1], resources: ["*"], operations: ["*"], namespaces: [production, "prod-*"], owned: false}]
  - serviceAccount: {namespace: "ci-*", name: "*"}
    assurance: token
    may: [{apiGroups: [apps], resources: [deployments, "*/scale"], operations: [CREATE, UPDATE], owned: true}]
  - user: "system:node:*"
    groups: ["system:nodes"]
    assurance: certificate
    may: [{apiGroups: [""], resources: [serviceaccounts/token], operations: [CREATE], boundToPod: true}]
  - user: ci@example.com
    assurance: impersonated
    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: ["*"]}]
  - groups: [release, managers]
    assurance: certificate
    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]
  - groups: ["system:serviceaccounts:builders"]
    assurance: pod-bound
    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]
"""

GRANT = """apiVersion: fluxgate.dev/v1alpha1
kind: BreakGlass
metadata: {name: inc-4711, labels: {a: b}, annotations: {c: d}}
spec:
  subjects:
  - {kind: User, name: alice@example.com}
  - {kind: Group, name: sre}
  - {kind: ServiceAccount, namespace: ci, name: deployer}
  match:
    namespaces: [production, "prod-*"]
    names: ["web*"]
    resourceRules: [{apiGroups: [apps], apiVersions: ["*"], resources: [deployments, "*/scale"], operations: [UPDATE]}]
  ticket: INC-4711
  reason: Payment time-outs.
  requestedBy: alice@example.com
  approvedBy: bob@example.com
  cluster: prod-1
  notBefore: 2026-12-05T02:10:00Z
  expiresAt: 2026-12-05T04:10:00Z
  maxUses: 20
"""

TEST = """apiVersion: fluxgate.dev/v1alpha1
kind: PolicyTest
metadata: {name: production}
spec:
  policies: [../production.yaml]
  cases:
  - name: a person
    operation: UPDATE
    user: {username: alice@example.com, groups: [devs]}
    object: web-edited.yaml
    oldObject: {apiVersion: v1, kind: Pod, metadata: {name: web}}
    dryRun: true
    namespaceLabels: {env: production}
    time: 2026-12-05T02:30:00Z
    expect:
      allowed: false
      violations: [{policy: production, rule: only-git, path: .spec, action: Deny}]
      warnings: []
      message: Change it in
  - name: exactly so
    operation: DELETE
    user: {username: alice@example.com, uid: "7", extra: {a.b/c: [d]}}
    oldObject: web.yaml
    expect: {allowed: true}
  - {name: flux, as: flux, object: web.yaml, expect: {allowed: true}}
  - {name: recorded, review: recorded.json, expect: {allowed: true, warnings: [soon]}}
"""


def examples():
    spec = """  description: For people.
  compliance: ["SOC 2 CC8.1"]
  guidance: "Change it in Git ({owner})."
  validationActions: [Deny, Audit]
  namespaceActions: [{namespaces: [prod-legacy], validationActions: [Warn, Audit]}]
  enforceFrom: 2026-12-01T00:00:00Z
"""
    yield "GuardPolicy", POLICY % "whole" + spec + MATCH + "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n"
    for rule, bodies in RULES.items():
        for i, body in enumerate(bodies):
            yield f"{rule} {i}", POLICY % f"{rule.lower()}-{i}" + f"  rules:\n  - {{name: r, {rule}: {body}}}\n"
    yield "GuardException", EXCEPTION
    yield "WriterProfile", WRITERS
    yield "BreakGlass", GRANT
    yield "PolicyTest", TEST


# --- what the loader says ---------------------------------------------------------------------------------------------


class Loader:
    def __init__(self, stage):
        self.folder = stage.root / "policies"
        self.folder.mkdir(exist_ok=True)
        self.empty = stage.write("empty.jsonl", "")

    def problems(self, *texts):
        for old in self.folder.iterdir():
            old.unlink()
        for i, text in enumerate(texts):
            (self.folder / f"{i}.yaml").write_text(text)
        ran = subprocess.run([BINARY, "check", "--policies", self.folder, "--reviews", self.empty, "--allow-empty"], capture_output=True, text=True, timeout=SOON)
        assert ran.returncode in (0, 2), ran.stderr
        return "" if ran.returncode == 0 else ran.stderr


# --- mutations --------------------------------------------------------------------------------------------------------


def places(value, path=()):
    """Every mapping and list of a document, and what is in them."""
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, path + (key,))


def at(document, path):
    for step in path:
        document = document[step]
    return document


def changed(document, path, change):
    copied = copy.deepcopy(document)
    change(at(copied, path[:-1]), path[-1])
    return copied


# Mappings whose keys are the user's: what is in them is no field.
FREE = {"labels", "annotations", "matchLabels", "min", "max", "maxLimitRequestRatio", "requests", "limits", "extra", "namespaceLabels"}
ANY_OBJECT = {"object", "oldObject"}


def is_fields(path):
    names = [step for step in path if isinstance(step, str)]
    return not (names and (names[-1] in FREE or ANY_OBJECT & set(names)) or "metadata" in names and len(names) > 1)


def mutations(document):
    for path, value in places(document):
        names = {step for step in path if isinstance(step, str)}
        if "metadata" in names and ("labels" in names or "annotations" in names) or ANY_OBJECT & names:
            continue  # anything may stand there
        if isinstance(value, dict) and is_fields(path):
            unknown = copy.deepcopy(document)
            at(unknown, path)["surprise"] = "x"
            yield f"unknown field in {path}", unknown
        if path:
            other = {"a": ["b"]} if not isinstance(value, dict) else [value]
            yield f"another type at {path}", changed(document, path, lambda parent, key: parent.__setitem__(key, other))
            if isinstance(path[-1], str) and is_fields(path[:-1]):
                yield f"without {path}", changed(document, path, lambda parent, key: parent.pop(key))
            if isinstance(value, list):
                yield f"empty list at {path}", changed(document, path, lambda parent, key: parent.__setitem__(key, []))
            if isinstance(value, str):
                yield f"empty text at {path}", changed(document, path, lambda parent, key: parent.__setitem__(key, ""))
                yield f"a strange word at {path}", changed(document, path, lambda parent, key: parent.__setitem__(key, "[ %!"))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield f"below zero at {path}", changed(document, path, lambda parent, key: parent.__setitem__(key, -1))


# What the loader refuses and a schema cannot see.
BEYOND_A_SCHEMA = [
    r"no policy is named",  # in any file of the set
    r"no writer profile is named",
    r"has no rule",
    r"no regular expression",  # the syntax of RE2
]


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.loader = Loader(cls.stage)

    def test_the_command_prints_the_file_that_ships(self):
        printed = subprocess.run([BINARY, "policy", "schema"], capture_output=True, timeout=SOON)
        self.assertEqual(printed.returncode, 0)
        self.assertEqual(printed.stdout, (SOURCE / "deploy/policies/schema.json").read_bytes())
        jsonschema.Draft7Validator.check_schema(SCHEMA)

    def test_the_tables_of_fields_in_the_docs_are_current(self):
        checked = subprocess.run([SOURCE / "tools/field-tables", "--check"], capture_output=True, text=True, timeout=SOON)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_names_of_built_in_writers_are_those_of_the_program(self):
        printed = subprocess.run([BINARY, "policy", "explain", "--writers"], capture_output=True, text=True, timeout=SOON)
        names = [document["metadata"]["name"] for document in documents(printed.stdout)]
        taken = SCHEMA["definitions"]["WriterProfile"]["properties"]["metadata"]["allOf"][1]["properties"]["name"]["not"]["enum"]
        self.assertEqual(sorted(taken), sorted([*names, "fluxgate"]))
        for name in names:
            with self.subTest(name):
                loads = not self.loader.problems(POLICY % "p" + f"  rules: [{{name: r, lock: {{writers: [{name}]}}}}]\n")
                text, mapping = SCHEMA["definitions"]["rule.lock"]["properties"]["writers"]["items"]["anyOf"]
                self.assertEqual(loads, name not in text["not"]["enum"])
                self.assertEqual(not loads, name in mapping["properties"]["name"]["enum"])

    def test_one_kind_alone(self):
        texts = dict(examples())
        for kind in SCHEMA["properties"]["kind"]["enum"]:
            with self.subTest(kind):
                printed = subprocess.run([BINARY, "policy", "schema", kind], capture_output=True, timeout=SOON)
                alone = jsonschema.Draft7Validator(json.loads(printed.stdout))
                for other in SCHEMA["properties"]["kind"]["enum"]:
                    self.assertEqual(alone.is_valid(documents(texts[other])[0]), kind == other, other)
        refused = subprocess.run([BINARY, "policy", "schema", "BreakTheGlass"], capture_output=True, text=True, timeout=SOON)
        self.assertEqual(refused.returncode, 2)

    def test_every_policy_file_that_loads_is_valid(self):
        files = [
            path
            for pattern in ("tests/**/*.yaml", "cli/demo/policies/*.yaml", "deploy/**/*.yaml")
            for path in sorted(SOURCE.glob(pattern))
            if "apiVersion: fluxgate.dev/" in path.read_text(errors="replace")
        ]
        self.assertGreater(len(files), 15)
        for path in files:
            text = path.read_text()
            if self.loader.problems(text) and self.loader.problems(text, BASE):
                continue
            with self.subTest(str(path.relative_to(SOURCE))):
                for document in documents(text):
                    self.assertEqual(refusals(document), [])

    def test_every_shipped_policy_file_names_the_schema(self):
        shipped = [path for path in (SOURCE / "deploy").rglob("*.yaml") if "\napiVersion: fluxgate.dev/" in path.read_text()]
        for path in shipped:
            with self.subTest(str(path.relative_to(SOURCE))):
                named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
                self.assertTrue(named, "the first line")
                self.assertEqual((path.parent / named.group(1)).resolve(), SOURCE / "deploy/policies/schema.json")

    def test_every_example_of_the_docs_is_valid(self):
        count = 0
        for page in sorted(SOURCE.glob("docs/**/*.md")) + [SOURCE / "README.md"]:
            for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
                if "apiVersion: fluxgate.dev/" not in block:
                    continue
                with self.subTest(page.name + "\n" + block):
                    for document in documents(block):
                        if document.get("apiVersion") != "fluxgate.dev/v1alpha1":
                            continue
                        count += 1
                        self.assertEqual(refusals(document), [])
        self.assertGreater(count, 1)

    def test_every_example_loads_and_is_valid(self):
        for name, text in examples():
            with self.subTest(name):
                self.assertEqual(self.loader.problems(text, BASE), "")
                self.assertEqual(refusals(documents(text)[0]), [])

    def test_every_field_of_the_schema_is_used_by_an_example(self):
        used = set()
        for _, text in examples():
            for path, value in places(documents(text)[0]):
                if isinstance(value, dict) and is_fields(path):
                    used |= {(definition, key) for definition in definitions_at(documents(text)[0], path) for key in value}
        for name, definition in nested(SCHEMA["definitions"]):
            for key in definition.get("properties", {}):
                self.assertIn((name, key), used)

    def test_every_mutation_is_refused_by_both_or_by_neither(self):
        count = 0
        for name, text in examples():
            for what, mutated in mutations(documents(text)[0]):
                problems = self.loader.problems(json.dumps(mutated), BASE)
                refused = refusals(mutated)
                count += 1
                with self.subTest(f"{name}: {what}", loader=problems, schema=refused):
                    if any(re.search(pattern, problems) for pattern in BEYOND_A_SCHEMA):
                        continue
                    self.assertEqual(bool(problems), bool(refused))
        self.assertGreater(count, 300)

    def test_every_field_that_the_loader_asks_for_is_in_the_schema(self):
        """The loader names all fields of a mapping when it meets one that it does not know."""
        asked = 0
        for name, text in examples():
            document = documents(text)[0]
            for path, value in places(document):
                if not isinstance(value, dict) or not is_fields(path):
                    continue
                unknown = copy.deepcopy(document)
                at(unknown, path)["surprise"] = "x"
                problems = self.loader.problems(json.dumps(unknown), BASE)
                known = re.findall(r"surprise: unknown field.*; expected one of: (.*)", problems)
                self.assertTrue(known, problems)
                for key in set(known[0].split(", ")):
                    asked += 1
                    with self.subTest(f"{name} {path} {key}"):
                        fields = [properties_of(definition) for definition in definitions_at(document, path)]
                        if any(key in names for names in fields):
                            continue
                        at(unknown, path)[key] = []
                        self.assertRegex(self.loader.problems(json.dumps(unknown), BASE), rf"\b{key} is not implemented")
        self.assertGreater(asked, 100)


# --- walking the schema -----------------------------------------------------------------------------------------------


def resolved(schema):
    """The schemas that say which properties there are: through $ref, allOf and alternatives."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        yield from resolved(SCHEMA["definitions"][name])
        return
    if "properties" in schema and schema.get("additionalProperties") is False or "items" in schema:
        yield schema
    for part in schema.get("allOf", []) + schema.get("anyOf", []):
        if "$ref" in part or "type" in part:
            yield from resolved(part)


def definitions_at(document, path):
    """Names of the schemas that describe the mapping at that place of the document."""
    schemas = list(resolved(SCHEMA["definitions"][document["kind"]]))
    for step in path:
        following = []
        for schema in schemas:
            if isinstance(step, int):
                following += list(resolved(schema.get("items")))
            else:
                following += list(resolved(schema.get("properties", {}).get(step)))
        schemas = following
    return {NAMES[id(schema)] for schema in schemas if id(schema) in NAMES}


def nested(definitions):
    for name, definition in definitions.items():
        for path, value in places(definition):
            if isinstance(value, dict) and value.get("additionalProperties") is False and "properties" in value:
                yield "/".join(map(str, (name, *path))), value


NAMES = {id(schema): name for name, schema in nested(SCHEMA["definitions"])}
BY_NAME = dict(nested(SCHEMA["definitions"]))


def properties_of(name):
    return BY_NAME[name]["properties"]


if __name__ == "__main__":
    unittest.main()
