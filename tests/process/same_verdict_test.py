"""What `check` and `test` say before the merge is what the webhook answers in the cluster: verdict, message and warnings, byte for
byte, for every recorded review and every case of every shipped PolicyTest."""

import json
import subprocess
import unittest
from pathlib import Path

from support import BINARY, RECORDINGS, ROOT, SOON, Serving, Stage

LIBRARY = ROOT / "deploy/policies"


def run(*words, stdin=""):
    return subprocess.run([BINARY, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=SOON)


class SameVerdictTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def recorded(self):
        reviews = [json.loads(path.read_text()) for path in sorted(RECORDINGS.glob("*.json"))]
        reviews += [json.loads(path.read_text()) for path in sorted((ROOT / "tests/golden").glob("*/review.json"))]
        return [json.dumps(review, ensure_ascii=False) for review in reviews]

    def answers(self, policies, reviews):
        """The webhook's, as (allowed, message, warnings, whether it repeats a denial a moment ago)."""
        with Serving(self.stage, self.stage.folder("audit"), policies=policies) as serving:
            caller = serving.caller()
            for review in reviews:
                answer = caller.call(review.encode()).response
                repeats = answer.get("auditAnnotations", {}).get("record-repeated") == "true"
                yield answer["allowed"], answer.get("status", {}).get("message", ""), answer.get("warnings", []), repeats

    def compare(self, policies, reviews):
        done = run("check", "--policies", policies, "--reviews", "-", "-o", "json", stdin="".join(review + "\n" for review in reviews))
        self.assertIn(done.returncode, (0, 1), done.stderr)
        results = json.loads(done.stdout)["results"]
        self.assertEqual(len(results), len(reviews))
        denied = warned = repeated = 0
        for review, result, (allowed, message, warnings, repeats) in zip(reviews, results, self.answers(policies, reviews)):
            with self.subTest(uid=result["uid"]):
                self.assertEqual(result["uid"], json.loads(review)["request"]["uid"])
                self.assertEqual(result["allowed"], allowed)
                if repeats:
                    # Its first line says so, which can leave room for fewer violations.
                    self.assertIn("(repeated and counted, record ", message)
                    whole = result["message"].splitlines()
                    self.assertTrue(whole[0].startswith(message[: message.index(" (repeated")]), message)
                    self.assertLessEqual({line for line in message.splitlines()[1:] if line.startswith("- ")}, set(whole))
                else:
                    self.assertEqual(result["message"], message)
                # The webhook gives the API server the first 20, cut to the length that it takes.
                self.assertEqual(len(result["warnings"][:20]), len(warnings))
                for whole, cut in zip(result["warnings"], warnings):
                    self.assertTrue(whole.startswith(cut.removesuffix("...")), (whole, cut))
            denied += not allowed
            warned += bool(warnings)
            repeated += repeats
        self.assertLess(repeated, max(denied, 1), "every denial was taken for a repeat")
        return denied, warned

    def test_recorded_reviews_under_the_policies_of_the_demo(self):
        denied, _ = self.compare(self.stage.policies, self.recorded())
        self.assertGreater(denied, 10)

    def test_recorded_reviews_under_the_starter_policies(self):
        denied, _ = self.compare(LIBRARY, self.recorded())
        self.assertGreater(denied, 10)

    def test_every_policy_test(self):
        done = run("test", LIBRARY / "tests", "--reviews")
        self.assertEqual(done.returncode, 0, done.stderr)
        reviews = done.stdout.splitlines()
        self.assertGreater(len(reviews), 60)
        denied, _ = self.compare(LIBRARY, reviews)
        self.assertGreater(denied, 20)
        self.assertLess(denied, len(reviews))

    def test_what_warns_warns_in_both(self):
        policies = self.stage.folder("warn")
        for path in LIBRARY.glob("*.yaml"):
            text = path.read_text()
            lines = [line for line in text.splitlines() if not line.strip().startswith("validationActions:")]
            (policies / path.name).write_text("\n".join("spec:\n  validationActions: [Warn, Audit]" if line == "spec:" else line for line in lines))
        denied, warned = self.compare(policies, self.recorded())
        self.assertEqual(denied, 0)
        self.assertGreater(warned, 10)


if __name__ == "__main__":
    unittest.main()
