"""Each `fluxgate audit` command on folders that a real server wrote: what is good, what it finds, what it cannot do."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import unittest

import audit_log
from support import BINARY, SOON, Serving, Stage, denied_review, recording

GOOD, FINDINGS, COULD_NOT = 0, 1, 2


def audit(command, folder, *flags):
    ran = subprocess.run([BINARY, "audit", command, *(["--audit", str(folder)] if folder else []), *map(str, flags)], capture_output=True,
                         text=True, timeout=SOON)
    return ran.returncode, ran.stdout + ran.stderr


def damage(path, at=-1):
    """One byte; -1: the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at < 0 else at] ^= 1
    path.write_bytes(data)


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.written = cls.stage.folder("written")
        cls.serve(cls.written, [denied_review(f"first-{number}") for number in range(3)])

    @classmethod
    def serve(cls, folder, reviews=(), **changes):
        """A run of the server from start to stop; what it said."""
        with Serving(cls.stage, folder, drain_time="0s", **changes) as serving:
            caller = serving.caller()
            for review in reviews:
                caller.call(review)
            serving.send_signal(signal.SIGTERM)
            assert serving.wait() == 0, serving.text()
            return serving

    def copy(self):
        folder = self.stage.folder("copy")
        shutil.copytree(self.written, folder, dirs_exist_ok=True)
        return folder

    def check(self, ran, code, *texts):
        self.assertEqual(ran[0], code, ran[1])
        for text in texts:
            self.assertIn(text, ran[1])

    def test_what_a_stopped_server_leaves_is_under_its_checkpoint_to_the_last_record(self):
        names = [record["data"].get("event", "denied") for record in audit_log.records(self.written)]
        self.assertEqual(names, ["started", "certificate-loaded", "denied", "denied", "denied", "heartbeat", "stopped"])
        self.check(audit("verify", self.written, "--key", self.written / "log.vkey"), GOOD,
                   "7 entries, 0 records not under a checkpoint yet", "The audit log is whole.")

    def test_tampering_is_found_and_named(self):
        last = lambda folder, pattern: sorted(folder.glob(pattern))[-1]
        rows = (
            ("an entry", lambda folder: damage(last(folder, "tile/entries/000.p/*")), "tile/"),
            ("a hash", lambda folder: damage(last(folder, "tile/0/000.p/*")), "tile/0/000.p/7"),
            ("the checkpoint", lambda folder: damage(folder / "checkpoint"), "checkpoint"),
            ("the checkpoint is gone", lambda folder: (folder / "checkpoint").unlink(), "checkpoint-missing"),
            ("a policy set", lambda folder: damage(last(folder, "blobs/*/*")), "blobs/"),
            ("the write-ahead log", lambda folder: damage(last(folder, "wal/*.wal"), 200), "wal/"),
            ("the head of the write-ahead log", lambda folder: damage(last(folder, "wal/*.wal"), 3), "wal/"),
        )
        for name, change, text in rows:
            with self.subTest(name):
                folder = self.copy()
                change(folder)
                self.check(audit("verify", folder), FINDINGS, text, "NOT whole")

    def test_a_folder_of_a_stranger_leads_nowhere(self):
        rows = (
            ("circles", lambda folder: [(folder / "tile" / name).symlink_to(folder / "tile") for name in "abc"], GOOD),
            ("a pipe", lambda folder: ((folder / "checkpoint").unlink(), os.mkfifo(folder / "checkpoint")), FINDINGS),
            ("a link to a secret", lambda folder: ((folder / "log.vkey").unlink(), (folder / "log.vkey").symlink_to(self.stage.key)), FINDINGS),
            ("a segment of a terabyte", lambda folder: os.truncate(next(folder.glob("wal/*.wal")), 1 << 40), FINDINGS),
            ("a checkpoint over 2^60 entries", lambda folder: (folder / "checkpoint").write_text(
                (folder / "checkpoint").read_text().replace("\n7\n", f"\n{1 << 60}\n")), FINDINGS),
        )
        for name, change, code in rows:
            with self.subTest(name):
                folder = self.copy()
                change(folder)
                ran = audit("verify", folder)
                self.check(ran, code)
                self.assertNotIn("PRIVATE KEY", ran[1])

    def test_who_pinned_the_key_before_a_rotation_goes_on(self):
        folder = self.copy()
        old = (folder / "log.vkey").read_text().strip()
        code, new = audit("rotate-key", folder)
        self.assertEqual((code, (folder / "log.key").stat().st_mode & 0o777), (GOOD, 0o600), new)
        self.check(audit("rotate-key", folder), COULD_NOT, "not in the log yet", "serve")
        self.check(audit("prune", folder, "--before", "0", "--reason", "test"), COULD_NOT, "start one first")
        self.serve(folder, [denied_review("second")])
        self.assertEqual((folder / "log.vkey").read_text(), new)
        for key, code in ((old, GOOD), (new.strip(), GOOD)):
            self.check(audit("verify", folder, "--key", key), code, "13 entries, 0 records not under")
        stranger = self.stage.folder("stranger")
        self.serve(stranger)
        self.check(audit("verify", folder, "--key", stranger / "log.vkey"), FINDINGS, "key-not-pinned")
        self.check(audit("rotate-key", folder), GOOD)  # and again

    def test_after_damage_the_server_says_what_to_do_and_an_ended_epoch_is_followed_by_a_whole_log(self):
        rows = (
            ("an entry under the checkpoint", lambda folder: damage(next(folder.glob("tile/entries/000.p/*")))),
            ("the checkpoint is gone", lambda folder: (folder / "checkpoint").unlink()),
            ("the head of the write-ahead log", lambda folder: damage(next(folder.glob("wal/*.wal")), 3)),
        )
        for name, change in rows:
            with self.subTest(name):
                folder = self.copy()
                change(folder)
                before = (folder / "checkpoint").read_text() if (folder / "checkpoint").exists() else None
                # Whatever is wrong with the log: the server starts, Flux goes on, denied is denied.
                with Serving(self.stage, folder, drain_time="0s") as serving:
                    caller = serving.caller()
                    self.assertFalse(caller.call(denied_review("while-damaged")).response["allowed"])
                    self.assertTrue(caller.call(recording("flux-applies")).response["allowed"])
                    self.assertEqual(serving.readyz()[0], 200)
                    serving.send_signal(signal.SIGTERM)
                    self.assertEqual(serving.wait(), 0, serving.text())
                    self.assertIn("fluxgate audit epoch", serving.text())
                if before:
                    self.assertEqual((folder / "checkpoint").read_text(), before, "something was signed")
                self.check(audit("epoch", folder, "--reason", "INC-4711"), GOOD, "epochs/1", "begins epoch 2")
                self.check(audit("epoch", folder, "--reason", "called again"), GOOD, "epochs/1")
                self.serve(folder, [denied_review("after")])
                first = audit_log.records(folder)[0]["data"]
                self.assertEqual((first["event"], first["facts"]["reason"]), ("epoch-begun", "INC-4711"))
                self.assertEqual(first["facts"].get("checkpoint"), before)
                self.assertEqual(first["replica"], audit_log.records(folder)[1]["data"]["replica"])
                self.assertTrue((folder / "log.vkey").read_text().split("+")[0].endswith("/2"))
                code = GOOD if before else FINDINGS  # without its checkpoint nobody knows where the old log ended
                self.check(audit("verify", folder), code, "epoch 1" if before else "epoch-checkpoint-missing")

    def test_an_ended_epoch_is_a_folder_to_verify_by_itself(self):
        folder = self.copy()
        self.check(audit("epoch", folder, "--reason", "test"), GOOD)
        self.check(audit("verify", folder / "epochs/1", "--key", self.written / "log.vkey"), GOOD, "1 blob\n", "The audit log is whole.")

    def test_a_key_outside_of_the_folder_signs_no_second_log_of_its_name(self):
        folder, key = self.stage.folder("folder"), self.stage.folder("key") / "log.key"
        self.serve(folder, audit_key=key)
        self.check(audit("epoch", folder, "--reason", "test"), GOOD)
        serving = self.serve(folder, audit_key=key)
        told = serving.events("records are taken, but no checkpoint is signed over them")
        self.assertIn("the log that ended as epoch 1", told[0]["error"])
        self.assertFalse((folder / "checkpoint").exists())
        key.rename(key.with_suffix(".old"))
        self.serve(folder, audit_key=key)
        self.check(audit("verify", folder), GOOD, "/2\n")

    def test_one_key_signs_no_second_log_for_another_replica(self):
        key = self.stage.folder("shared") / "log.key"
        self.serve(self.stage.folder("first"), audit_key=key, cluster_name="first")
        second = self.stage.folder("second")
        told = self.serve(second, audit_key=key, cluster_name="second").events("records are taken, but no checkpoint is signed over them")
        self.assertIn("the key is that of the log fluxgate/first/", told[0]["error"])
        self.assertFalse((second / "checkpoint").exists())

    def test_commands_that_change_a_log_say_what_they_cannot_do(self):
        with Serving(self.stage, self.copy()) as serving:
            for command, flags in (("epoch", ("--reason", "x")), ("prune", ("--before", "0", "--reason", "x")), ("rotate-key", ())):
                with self.subTest(command):
                    self.check(audit(command, serving.audit, *flags), COULD_NOT, "a server is writing here")
        rows = (
            ("no folder", "epoch", self.stage.root / "none", ("--reason", "x"), "there is no folder"),
            ("an empty folder", "epoch", self.stage.folder("empty"), ("--reason", "x"), "there is no log"),
            ("no reason", "epoch", self.copy(), ("--reason", ""), "must not be empty"),
            ("a novel for a reason", "epoch", self.copy(), ("--reason", "x" * 2000), "must be short"),
            ("a novel for a reason", "prune", self.copy(), ("--before", "0", "--reason", "x" * 2000), "must be short"),
            ("beyond the log", "prune", self.copy(), ("--before", "512", "--reason", "x"), "--before"),
            ("no time", "prune", self.copy(), ("--before", "tomorrow", "--reason", "x"), "is no time"),
            ("an empty folder", "rotate-key", self.stage.folder("empty"), (), "log.key"),
        )
        for name, command, folder, flags, text in rows:
            with self.subTest(f"{command}: {name}"):
                self.check(audit(command, folder, *flags), COULD_NOT, text)
                self.assertFalse((folder / "epochs").exists())

    def test_pruned_records_are_gone_and_the_others_can_be_proven(self):
        folder = self.stage.folder("long")
        self.serve(folder, [denied_review(f"long-{number}") for number in range(600)])
        key = self.stage.folder("key") / "log.vkey"
        shutil.copy(folder / "log.vkey", key)
        proof = self.stage.folder("proof") / "before.tlog-proof"
        self.check(audit("prove", folder, 10, "-o", proof), GOOD)
        self.check(audit("prune", folder, "--before", "300", "--reason", "LOG-3"), GOOD, "below 256 are gone")
        self.check(audit("prune", folder, "--before", "300", "--reason", "LOG-3"), GOOD, "Nothing to do")
        self.assertFalse((folder / "tile/entries/000").exists())
        self.check(audit("verify", folder, "--key", key), GOOD, "The records below 256 were given up")
        self.check(audit("prove", folder, 10, "-o", proof.with_name("x.tlog-proof")), COULD_NOT)
        self.check(audit("prove", folder, 400, "-o", proof.with_name("after.tlog-proof")), GOOD)
        for name in ("before", "after"):
            made = proof.with_name(f"{name}.tlog-proof")
            self.check(audit("prove", None, "--check", made, "--record", made.with_suffix(".json"), "--key", key), GOOD)
        self.check(audit("query", folder, "--event", "retention-applied", "-o", "json"), GOOD, "LOG-3")
        self.serve(folder, [denied_review("goes-on")])
        self.check(audit("verify", folder, "--key", key), GOOD)

    def test_a_proof_holds_for_its_record_and_key_alone(self):
        proof = self.stage.folder("proof") / "evidence.tlog-proof"
        record, key = proof.with_suffix(".json"), self.written / "log.vkey"
        self.check(audit("prove", self.written, 2, "-o", proof), GOOD)
        self.assertEqual(json.loads(record.read_text())["id"], "first-0")
        check = lambda *flags: audit("prove", None, "--check", proof, "--record", record, *flags)
        self.check(check("--key", key), GOOD)
        stranger = self.stage.folder("stranger")
        self.serve(stranger)
        self.check(check("--key", stranger / "log.vkey"), FINDINGS)
        damage(record)
        self.check(check("--key", key), FINDINGS)
        self.check(audit("prove", self.written, 7, "-o", proof.with_name("no.tlog-proof")), COULD_NOT, "7")
        self.check(audit("prove", None, "--check", proof, "--record", proof.with_name("none"), "--key", key), COULD_NOT)

    def test_query_finds_what_is_asked_for(self):
        folder = self.stage.folder("names")
        review = json.loads(denied_review("odd"))
        review["request"]["userInfo"]["username"] = '=cmd|"x",\n\x1b[31mred'
        self.serve(folder, [denied_review("plain"), json.dumps(review).encode()])
        rows = (
            ("all", (), 6), ("denied", ("--verdict", "denied"), 2), ("allowed", ("--verdict", "allowed"), 0), ("events", ("--verdict", "event"), 4),
            ("an object", ("--object", "*/deployments.apps/web-plain"), 1), ("another object", ("--object", "*/deployments.apps/web"), 0),
            ("a user", ("--user", "=cmd*"), 1), ("an event", ("--event", "stopped"), 1), ("at most", ("--limit", "3"), 3),
            ("since yesterday", ("--from", "24h"), 6), ("until yesterday", ("--to", "24h"), 0),
        )
        for name, flags, count in rows:
            with self.subTest(name):
                code, text = audit("query", folder, "-o", "jsonl", *flags)
                self.assertEqual((code, len(text.splitlines())), (GOOD, count), text)
        code, text = audit("query", folder, "--verdict", "denied", "-o", "csv")
        table = list(csv.reader(io.StringIO(text)))
        self.assertEqual((code, len(table)), (GOOD, 3), text)
        self.assertEqual({len(row) for row in table}, {len(table[0])})
        for row in table[1:]:
            for cell in row:
                self.assertFalse(cell.startswith(("=", "+", "@", "\t", "\r")), cell)
        self.assertNotIn("\x1b", audit("query", folder)[1])  # a terminal does not do what a name says
        for flags in (("--from", "tomorrow"), ("--verdict", "maybe"), ("-o", "xml")):
            self.assertEqual(audit("query", folder, *flags)[0], COULD_NOT, flags)

    def test_tail_follows_a_server(self):
        with Serving(self.stage, self.stage.folder("followed")) as serving:
            caller = serving.caller()
            caller.call(denied_review("before"))
            tail = subprocess.Popen([BINARY, "audit", "tail", "--audit", str(serving.audit), "-n", "1", "-f", "-o", "jsonl"],
                                    stdout=subprocess.PIPE, text=True)
            try:
                self.assertEqual(json.loads(tail.stdout.readline())["id"], "before")
                for number in range(3):
                    caller.call(denied_review(f"after-{number}"))
                    self.assertEqual(json.loads(tail.stdout.readline())["id"], f"after-{number}")
                tail.send_signal(signal.SIGINT)
                self.assertIn(tail.wait(SOON), (0, -signal.SIGINT, 130))
            finally:
                tail.kill()
                tail.wait()
                tail.stdout.close()


if __name__ == "__main__":
    unittest.main()
