"""Shell completion, asked in real shells. A shell that is not installed is skipped, and that is said."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, SOON

COMMANDS = {"serve", "check", "demo", "completion"}
SHELLS = ("bash", "zsh", "fish")


def script(shell):
    return subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, check=True, timeout=SOON).stdout


def ask_bash(words, folder):
    """Words as bash splits them; the last one is being completed."""
    program = script("bash") + "COMP_WORDS=(\"$@\"); COMP_CWORD=$(( $# - 1 )); _fluxgate; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    return run(["bash", "--norc", "-c", program, "bash", *words], folder)


def ask_zsh(words, folder):
    """zsh completes in its line editor only, so the editor's own functions are stand-ins that say what they were given."""
    stubs = (
        "compdef() { : }\ncompset() { current=${current#*=} }\n"
        "compadd() { shift; print -l -- \"$@\" }\n"
        "_describe() { local word; for word in \"${(@P)2}\"; do print -r -- ${${word%%[^\\\\]:*}}${${word#${word%%[^\\\\]:*}}%%:*}; done }\n"
        "_files() { [[ ${1-} == -/ ]] && print -l -- *(N/) || print -l -- *(N) }\n"
    )
    program = stubs + script("zsh") + "words=(\"$@\"); CURRENT=$#; _fluxgate\n"
    found = run(["zsh", "-f", "-c", program, "zsh", *words], folder)
    return {word for word in found if word.startswith(words[-1].split("=")[-1])}


def ask_fish(words, folder):
    line = " ".join(words)
    found = run(["fish", "--no-config", "-c", script("fish") + f"complete -C '{line}'"], folder)
    return {word.split("\t")[0].split("=")[-1] for word in found}


def run(command, folder):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SOON, cwd=folder)
    assert ran.stderr == "", ran.stderr
    return {word.rstrip("/") for word in ran.stdout.splitlines() if word}


ASK = {"bash": ask_bash, "zsh": ask_zsh, "fish": ask_fish}


class Completion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "a file.yaml").touch()
        (self.folder / "apps").mkdir()

    def each_shell(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                if not shutil.which(shell):
                    self.skipTest(f"{shell} is not installed here")
                yield lambda *words: ASK[shell](words, self.folder)

    def test_commands(self):
        for ask in self.each_shell():
            self.assertLessEqual(COMMANDS, ask("fluxgate", ""))
            self.assertEqual({"check"}, ask("fluxgate", "ch"))
            self.assertFalse(COMMANDS & ask("fluxgate", "check", ""))

    def test_flags_of_the_command_that_was_given(self):
        for ask in self.each_shell():
            self.assertLessEqual({"--policies", "--output"}, ask("fluxgate", "check", "--"))
            self.assertIn("--tls-cert", ask("fluxgate", "serve", "--log-level", "info", "--tls-"))
            self.assertNotIn("--tls-cert", ask("fluxgate", "check", "--"))
            self.assertIn("--version", ask("fluxgate", "--v"))

    def test_a_value_is_not_taken_for_a_command(self):
        for ask in self.each_shell():
            self.assertIn("--output", ask("fluxgate", "check", "--policies", "serve", "--ou"))

    def test_values_of_a_flag(self):
        for ask in self.each_shell():
            self.assertEqual({"debug", "info", "warn", "error"}, ask("fluxgate", "serve", "--log-level", ""))
            self.assertEqual({"warn"}, ask("fluxgate", "serve", "--log-level", "w"))
            self.assertIn("jsonl", ask("fluxgate", "check", "-o", ""))

    def test_values_after_an_equals_sign(self):
        for shell, words in {
            "bash": ("fluxgate", "serve", "--log-level", "=", "w"),  # which takes the word apart
            "zsh": ("fluxgate", "serve", "--log-level=w"),
            "fish": ("fluxgate", "serve", "--log-level=w"),
        }.items():
            with self.subTest(shell=shell):
                if not shutil.which(shell):
                    self.skipTest(f"{shell} is not installed here")
                self.assertEqual({"warn"}, ASK[shell](words, self.folder))

    def test_values_of_an_argument(self):
        for ask in self.each_shell():
            self.assertEqual(set(SHELLS), ask("fluxgate", "completion", ""))

    def test_files(self):
        for ask in self.each_shell():
            found = {word.replace("\\ ", " ") for word in ask("fluxgate", "check", "--policies", "")}
            self.assertEqual({"a file.yaml", "apps"}, found)

    def test_no_files_for_a_number(self):
        for ask in self.each_shell():
            self.assertEqual(set(), ask("fluxgate", "serve", "--threads", ""))

    def test_every_command_and_flag_of_the_help_is_known(self):
        for shell in SHELLS:
            text = script(shell)
            shown = subprocess.run([BINARY, "check", "--help"], capture_output=True, text=True, check=True, timeout=SOON).stdout
            flags = {word.rstrip(",") for line in shown.splitlines() for word in line.split()[:1] + line.split(",")[1:2] if word.startswith("--")}
            flags = {flag.split(" ")[0] for flag in flags}
            self.assertIn("--policies", flags)
            for flag in flags:
                self.assertIn(flag if shell != "fish" else f" -l {flag[2:]} ", text, shell)


if __name__ == "__main__":
    unittest.main()
