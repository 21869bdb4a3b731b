"""What the process tests share: certificates, a `fluxgate serve` to talk to, callers that never repeat a request, and a
reader of the audit log that knows nothing of ours. Standard library only.

Nothing waits for a fixed time: processes say on standard error what they do, and who waits, waits for that.
"""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import audit_log

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FLUXGATE", str(ROOT / "build/release/fluxgate"))
RECORDINGS = ROOT / "cli/demo/recordings"
SOON = 60  # seconds; generous for sanitizers on a busy machine, no passing test waits for it

SEED = int(os.environ.get("FLUXGATE_SEED", random.SystemRandom().randrange(1 << 32)))


def recording(name):
    return (RECORDINGS / f"{name}.json").read_bytes()


def denied_review(uid):
    """A review that the demo's policies deny, with a uid and an object of its own, so that it is no repeat of another."""
    review = json.loads(recording("person-edits-image"))
    request = review["request"]
    request["uid"] = uid
    for named in (request, request["object"]["metadata"], request["oldObject"]["metadata"]):
        named["name"] = f"web-{uid}"
    return json.dumps(review).encode()


class Stage:
    """A temporary folder with what `fluxgate demo` leaves behind: certificates and policies."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="fluxgate-process-"))
        self.demo = self.play_demo("first")
        self.certificate, self.key, self.authority = self.demo / "tls.crt", self.demo / "tls.key", self.demo / "ca.crt"
        self.policies = self.demo / "policies"

    def play_demo(self, name):
        folder = self.root / name
        folder.mkdir()
        played = subprocess.run([BINARY, "demo"], env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, timeout=SOON)
        assert played.returncode == 0, played.stdout + played.stderr
        return next(folder.glob("fluxgate-demo-*"))

    def folder(self, name):
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.root))

    def write(self, name, text):
        path = self.folder("files") / name
        path.write_text(text)
        return path

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def flags(self, audit, **changes):
        flags = {"policies": self.policies, "audit": audit, "tls-cert": self.certificate, "tls-key": self.key, "listen": "127.0.0.1:0",
                 "health-listen": "127.0.0.1:0", "metrics-listen": "127.0.0.1:0", "threads": 2}
        for name, value in changes.items():
            flags[name.replace("_", "-")] = value
        return [word for name, value in flags.items() if value is not None for word in (f"--{name}", str(value))]


class Serving:
    """A running `fluxgate serve`; ends with the `with` block."""

    def __init__(self, stage, audit, before=(), **changes):
        self.stage = stage
        self.audit = Path(audit)
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.callers = []
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"} if before else None
        self.started = time.monotonic()
        self.process = subprocess.Popen([*before, BINARY, "serve", *stage.flags(audit, **changes)], stderr=subprocess.PIPE, text=True, env=environment)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        serving = self.wait_for("serving")
        # Under a tracer the server is its child; signals are for the server.
        self.pid = self.process.pid
        if before:
            self.pid = int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])
        self.took_seconds = time.monotonic() - self.started
        self.port, self.health_port, self.metrics_port = (int(serving[name]) for name in ("port", "healthPort", "metricsPort"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for caller in self.callers:
            caller.close()
        if self.process.poll() is None:
            self.send_signal(signal.SIGKILL)
        self.process.wait(SOON)
        self.reader.join(SOON)
        self.process.stderr.close()

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def events(self, name):
        found = []
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == name:
                    found.append(entry)
        return found

    def wait_for(self, event):
        with self.changed:
            self.changed.wait_for(lambda: self.ended or self.events(event), SOON)
        if not self.events(event):
            raise AssertionError(f"no event \"{event}\" in:\n" + "".join(self.lines))
        return self.events(event)[0]

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        code = self.process.wait(SOON)
        self.reader.join(SOON)
        return code

    def text(self):
        return "".join(self.lines)

    def caller(self):
        self.callers.append(Caller(self.port, self.stage.authority))
        return self.callers[-1]

    def get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def readyz(self):
        return self.get(self.health_port, "/readyz?verbose")

    def wait_until_not_ready(self):
        """The line "draining" comes a moment before it is so."""
        deadline = time.monotonic() + SOON
        while self.readyz()[0] == 200:
            assert time.monotonic() < deadline, "still ready"

    def wait_for_metric(self, name, value):
        """A review is counted a moment after it is answered."""
        deadline = time.monotonic() + SOON
        while self.metrics().get(name) != value:
            assert time.monotonic() < deadline, f"{name} is {self.metrics().get(name)}, not {value}"

    def metrics(self):
        samples = {}
        for line in self.get(self.metrics_port, "/metrics")[1].splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples


class Refused(Exception):
    """No connection was made, so no call failed: somebody else serves."""


class Answer:
    def __init__(self, status, body, closes):
        self.status, self.body, self.closes = status, body, closes

    @property
    def response(self):
        return json.loads(self.body)["response"]

    @property
    def record(self):
        return self.response.get("auditAnnotations", {}).get("record-id")


class Caller:
    """Keeps its connection, opens a new one when told to close, and never repeats a request, as kube-apiserver does."""

    def __init__(self, port, authority):
        self.port = port
        self.context = ssl.create_default_context(cafile=str(authority))
        self.connection = None

    def connect(self):
        try:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=SOON)
        except ConnectionRefusedError as error:
            raise Refused() from error
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON)
        connection.sock = self.context.wrap_socket(plain, server_hostname="127.0.0.1")
        connection.auto_open = 0
        self.connection = connection

    def call(self, body, target="/validate?timeout=10s", method="POST"):
        if self.connection is None:
            self.connect()
        self.connection.request(method, target, body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        closes = response.getheader("Connection", "").lower() == "close"
        answer = Answer(response.status, response.read(), closes)
        if closes:
            self.close()
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Load:
    """Callers on threads that send denied reviews until nobody takes connections any more, or the server is killed."""

    def __init__(self, serving, callers, prefix, killed=False):
        self.serving, self.killed = serving, killed
        self.lock = threading.Lock()
        self.acknowledged, self.failures, self.answers = [], [], 0
        self.not_closing = 0       # answers to calls made after `draining` was set that did not say close
        self.draining = threading.Event()
        self.stop = threading.Event()
        self.progress = threading.Condition(self.lock)
        self.threads = [threading.Thread(target=self.run, args=(f"{prefix}-{number}",), daemon=True) for number in range(callers)]
        for thread in self.threads:
            thread.start()

    def run(self, prefix):
        caller = self.serving.caller()
        number = 0
        while not self.stop.is_set():
            number += 1
            draining = self.draining.is_set()
            try:
                answer = caller.call(denied_review(f"{prefix}-{number}"))
            except Refused:
                return
            except (OSError, http.client.HTTPException) as error:
                if not self.killed:
                    with self.lock:
                        self.failures.append(repr(error))
                return
            with self.progress:
                self.answers += 1
                if answer.status != 200 or answer.response["allowed"]:
                    self.failures.append(f"{answer.status} {answer.body!r}")
                if answer.record:
                    self.acknowledged.append(answer.record)
                if draining and not answer.closes:
                    self.not_closing += 1
                self.progress.notify_all()

    def wait_for_answers(self, count):
        with self.progress:
            wanted = self.answers + count
            self.progress.wait_for(lambda: self.answers >= wanted or self.failures, SOON)

    def join(self):
        for thread in self.threads:
            thread.join(SOON)


def verified_ids(audit):
    """The ids of all denials, by a reader that is not ours; fails if a record is damaged or the sequence has a hole. A torn
    tail of the write-ahead log does not count."""
    return [record["id"] for record in audit_log.reviews(audit) if record["data"]["decision"] == "denied"]


def events(audit):
    """The names of all events, in order."""
    return [record["data"]["event"] for record in audit_log.records(audit) if "event" in record["data"]]


def wait_for_records(audit, wanted):
    """Records of what happened to Fluxgate are written beside its work: waits until `wanted` finds its own among all, and returns that."""
    deadline = time.monotonic() + SOON
    while not (found := wanted(audit_log.records(audit))):
        assert time.monotonic() < deadline, audit_log.records(audit)
    return found


def can_trace():
    """Whether strace is there and allowed to trace; else why not."""
    if not shutil.which("strace"):
        return False, "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, timeout=SOON)
    return tried.returncode == 0, "strace may not trace here: " + tried.stderr.strip()
