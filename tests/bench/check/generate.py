"""Manifests and schemas for the bench of `fluxgate check`: deterministic, of mixed kinds, about a kilobyte each, some violating.

    generate.py FOLDER [COUNT]

FOLDER gets manifests/*.yaml, 50 documents a file, schemas/KIND.json for kubeconform, and expected.txt: a line `KIND NAME` for each object
that the policies of this bench refuse. Values are written as a template would, not by a YAML library, so the bytes never change.
"""
import json, pathlib, random, sys

PER_FILE = 50
FLAWS = ("no memory limit", "no cpu request", "no readiness probe", "root", "latest", "foreign registry")


def pod(rng, name, indent, flaw, probes):
    """The lines of a pod's spec; `flaw` is what is wrong with its first container, or None."""
    lines = []
    if flaw != "root":
        lines += ["securityContext:", "  runAsNonRoot: true", "  seccompProfile:", "    type: RuntimeDefault"]
    lines += [f"serviceAccountName: {name}", "automountServiceAccountToken: false", "containers:"]
    for number in range(rng.choice((1, 1, 2))):
        bad = flaw if number == 0 else None
        host = "docker.io" if bad == "foreign registry" else "registry.example.com"
        tag = "latest" if bad == "latest" else f"{rng.randrange(1, 9)}.{rng.randrange(20)}.{rng.randrange(20)}"
        lines += [f"- name: c{number}", f"  image: {host}/shop/{name}-{number}:{tag}", "  args:", f"  - --listen=:{8080 + number}", f"  - --shard={rng.randrange(1000)}",
                  "  ports:", f"  - name: http-{number}", f"    containerPort: {8080 + number}", "  env:"]
        for variable in range(rng.randrange(2, 6)):
            lines += [f"  - name: SETTING_{variable}", f"    value: \"{rng.getrandbits(64):016x}\""]
        lines += ["  securityContext:", "    allowPrivilegeEscalation: false", "    readOnlyRootFilesystem: true", "    capabilities:", "      drop:", "      - ALL"]
        if probes:
            if bad != "no readiness probe":
                lines += ["  readinessProbe:", "    httpGet:", "      path: /readyz", f"      port: {8080 + number}"]
            lines += ["  livenessProbe:", "    httpGet:", "      path: /healthz", f"      port: {8080 + number}"]
        lines += ["  resources:", "    requests:", "      memory: 64Mi"]
        if bad != "no cpu request":
            lines.append(f"      cpu: {rng.randrange(10, 500)}m")
        if bad != "no memory limit":
            lines += ["    limits:", f"      memory: {rng.randrange(64, 512)}Mi"]
    return "\n".join(" " * indent + line for line in lines)


def head(api_version, kind, name, namespace):
    return (f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app.kubernetes.io/name: {name}\n"
            f"    app.kubernetes.io/part-of: shop\n    team: shop\n  annotations:\n    example.com/runbook: https://wiki.example.com/shop/{name}\n")


def manifest(rng, number):
    """The text of an object, and `KIND NAME` if the policies refuse it."""
    name, namespace = f"app-{number}", f"prod-{number % 20}"
    kind = rng.choices(("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Service", "ConfigMap", "Ingress", "HorizontalPodAutoscaler", "ServiceAccount"),
                       (40, 8, 4, 8, 14, 10, 8, 4, 4))[0]
    flaw = rng.choice(FLAWS) if rng.random() < 0.1 else None
    selector = f"  selector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n"
    template = f"  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: {name}\n    spec:\n"
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        replicas = "" if kind == "DaemonSet" else f"  replicas: {rng.randrange(2, 9)}\n"
        service = f"  serviceName: {name}\n" if kind == "StatefulSet" else ""
        text = head("apps/v1", kind, name, namespace) + "spec:\n" + replicas + service + selector + template + pod(rng, name, 6, flaw, True) + "\n"
    elif kind == "CronJob":
        flaw = None if flaw == "no readiness probe" else flaw
        text = (head("batch/v1", kind, name, namespace) + "spec:\n  schedule: \"30 4 * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n"
                "          restartPolicy: Never\n" + pod(rng, name, 10, flaw, False) + "\n")
    else:
        flaw = None
        body = {
            "Service": ("v1", f"spec:\n  selector:\n    app.kubernetes.io/name: {name}\n  ports:\n" +
                        "".join(f"  - name: p{p}\n    port: {8000 + p}\n    targetPort: {9000 + p}\n    protocol: TCP\n" for p in range(rng.randrange(1, 5)))),
            "ConfigMap": ("v1", "data:\n" + "".join(f"  key-{k}: \"{rng.getrandbits(256):064x}\"\n" for k in range(rng.randrange(4, 20)))),
            "Ingress": ("networking.k8s.io/v1", f"spec:\n  ingressClassName: nginx\n  tls:\n  - hosts:\n    - {name}.example.com\n    secretName: {name}\n  rules:\n"
                        f"  - host: {name}.example.com\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n"
                        f"            name: {name}\n            port:\n              number: 80\n"),
            "HorizontalPodAutoscaler": ("autoscaling/v2", f"spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {name}\n  minReplicas: 2\n"
                                        f"  maxReplicas: {rng.randrange(3, 30)}\n  metrics:\n  - type: Resource\n    resource:\n      name: cpu\n      target:\n"
                                        "        type: Utilization\n        averageUtilization: 80\n"),
            "ServiceAccount": ("v1", "automountServiceAccountToken: false\n"),
        }[kind]
        text = head(body[0], kind, name, namespace) + body[1]
    return text, f"{kind} {name}" if flaw else None


def schemas():
    """As much of the shape of each kind as a typical schema check looks at."""
    text, number, boolean = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}

    def mapping(required=(), **properties):
        return {"type": "object", "properties": properties, "required": list(required)}

    def many(items):
        return {"type": "array", "items": items}

    words = {"type": "object", "additionalProperties": text}
    amounts = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
    probe = mapping(httpGet=mapping(("port",), path=text, port={"type": ["string", "integer"]}))
    container = mapping(("name", "image"), name=text, image=text, args=many(text), env=many(mapping(("name",), name=text, value=text)),
                        ports=many(mapping(("containerPort",), name=text, containerPort=number)), readinessProbe=probe, livenessProbe=probe,
                        securityContext=mapping(allowPrivilegeEscalation=boolean, readOnlyRootFilesystem=boolean, capabilities=mapping(drop=many(text))),
                        resources=mapping(requests=amounts, limits=amounts))
    template = mapping(("spec",), metadata=mapping(labels=words),
                       spec=mapping(("containers",), containers=many(container), serviceAccountName=text, automountServiceAccountToken=boolean, restartPolicy=text,
                                    securityContext=mapping(runAsNonRoot=boolean, seccompProfile=mapping(("type",), type=text))))
    workload = mapping(("selector", "template"), replicas=number, serviceName=text, selector=mapping(matchLabels=words), template=template)
    specs = {
        "Deployment": workload, "StatefulSet": workload, "DaemonSet": workload,
        "CronJob": mapping(("schedule", "jobTemplate"), schedule=text, jobTemplate=mapping(("spec",), spec=mapping(("template",), template=template))),
        "Service": mapping(("ports",), selector=words, ports=many(mapping(("port",), name=text, port=number, targetPort=number, protocol=text))),
        "Ingress": mapping(ingressClassName=text, tls=many(mapping(hosts=many(text), secretName=text)), rules=many(mapping(host=text, http=mapping(("paths",)))),),
        "HorizontalPodAutoscaler": mapping(("scaleTargetRef", "maxReplicas"), scaleTargetRef=mapping(("kind", "name")), minReplicas=number, maxReplicas=number),
        "ConfigMap": None, "ServiceAccount": None,
    }
    for kind, spec in specs.items():
        metadata = mapping(("name",), name=text, namespace=text, labels=words, annotations=words)
        whole = mapping(("apiVersion", "kind", "metadata"), apiVersion=text, kind=text, metadata=metadata, **({"spec": spec} if spec else {"data": words}))
        yield kind, {"$schema": "http://json-schema.org/draft-07/schema#", **whole}


def main(folder, count=5000):
    rng = random.Random(20260101)
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    (folder / "schemas").mkdir(exist_ok=True)
    made = [manifest(rng, number) for number in range(count)]
    for start in range(0, count, PER_FILE):
        (folder / "manifests" / f"{start // PER_FILE:04}.yaml").write_text("---\n".join(text for text, _ in made[start:start + PER_FILE]))
    (folder / "expected.txt").write_text("".join(sorted(f"{refused}\n" for _, refused in made if refused)))
    for kind, schema in schemas():
        (folder / "schemas" / f"{kind.lower()}.json").write_text(json.dumps(schema))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:3]))
