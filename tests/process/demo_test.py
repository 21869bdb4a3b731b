"""`fluxgate demo`: exits 0 only if all is as expected, and what it tells people to type next works."""

import re
import subprocess
import unittest

from support import BINARY, SOON, Stage, verified_ids


def demo(*flags):
    return subprocess.run([BINARY, "demo", *flags], capture_output=True, text=True, timeout=SOON)


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_every_verdict_is_as_expected_and_the_log_holds_every_record(self):
        audit = self.stage.root / "audit"
        played = demo("--audit", str(audit))
        self.assertEqual(played.returncode, 0, played.stdout)
        self.assertRegex(played.stdout, r"All \d+ verdicts as expected\.")
        self.assertNotIn("UNEXPECTED", played.stdout)
        self.assertNotIn("\x1b", played.stdout, "no colour off a terminal")
        denied = len(re.findall(r"^\d+ .* denied ", played.stdout, re.MULTILINE))
        self.assertEqual(len(verified_ids(audit)), denied)
        # The recorded reviews have the same ids each time: the second demo looks at its own records only.
        again = demo("--audit", str(audit))
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertEqual(len(verified_ids(audit)), 2 * denied)

    def test_it_names_the_program_that_runs(self):
        self.assertIn(f"{BINARY} serve --policies", demo().stdout)

    def test_without_an_audit_log_it_is_not_all_well(self):
        played = demo("--audit", str(self.stage.write("file", "")))
        self.assertNotEqual(played.returncode, 0)
        self.assertIn("the denial was not recorded", played.stdout)
        self.assertNotIn("All ", played.stdout.splitlines()[-1])


class CommandLine(unittest.TestCase):
    def test_exit_codes_and_help(self):
        rows = [
            (["--help"], 0, "serve"),
            (["serve", "--help"], 0, "--tls-cert"),
            (["demo", "--help"], 0, "--audit"),
            (["--version"], 0, "0."),
            ([], 2, "subcommand"),
            (["surprise"], 2, "surprise"),
            (["serve"], 2, "required"),
            (["demo", "--surprise"], 2, "surprise"),
        ]
        for words, code, text in rows:
            with self.subTest(" ".join(words)):
                ran = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=SOON)
                self.assertEqual(ran.returncode, code)
                self.assertIn(text, ran.stdout + ran.stderr)


if __name__ == "__main__":
    unittest.main()
