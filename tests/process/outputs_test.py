"""The outputs of `fluxgate check`, as the unit tests keep them in tests/unit/cli/output/golden, read by readers that are not ours."""

import json
import unittest
import xml.etree.ElementTree as ElementTree

from support import ROOT

GOLDEN = ROOT / "tests/unit/cli/output/golden"
REPORTS = ("small", "hostile", "empty")


def golden(name):
    return (GOLDEN / name).read_bytes()


class Outputs(unittest.TestCase):
    def test_junit_is_xml_whose_counts_are_true(self):
        for report in REPORTS:
            root = ElementTree.fromstring(golden(f"{report}.junit"))
            self.assertEqual("testsuites", root.tag)
            for suite in root:
                cases = suite.findall("testcase")
                self.assertEqual(int(suite.get("tests")), len(cases))
                for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                    self.assertEqual(int(suite.get(attribute)), sum(case.find(element) is not None for case in cases), attribute)
                for case in cases:
                    self.assertLessEqual(sum(case.find(tag) is not None for tag in ("failure", "error", "skipped")), 1)

    def test_junit_says_what_json_says(self):
        results = json.loads(golden("small.json"))["results"]
        cases = list(ElementTree.fromstring(golden("small.junit")).iter("testcase"))
        self.assertEqual(len(results), len(cases))
        for result, case in zip(results, cases):
            self.assertEqual(result["file"], case.get("file"))
            self.assertEqual(str(result["line"]), case.get("line"))
            denied = [violation for violation in result["violations"] if violation["level"] == "deny"]
            self.assertEqual(bool(denied), case.find("failure") is not None)
            for violation in denied:
                self.assertIn(violation["message"], case.find("failure").text)

    def test_a_hostile_value_plants_no_element(self):
        root = ElementTree.fromstring(golden("hostile.junit"))
        known = {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}
        self.assertLessEqual({element.tag for element in root.iter()}, known)
        self.assertEqual(2, len(list(root.iter("testcase"))))

    def test_json_lines_and_sarif_agree_with_json(self):
        for report in REPORTS:
            results = json.loads(golden(f"{report}.json"))["results"]
            self.assertEqual(results, [json.loads(line) for line in golden(f"{report}.jsonl").splitlines()])
            violations = [violation for result in results for violation in result["violations"]]
            found = json.loads(golden(f"{report}.sarif"))["runs"][0]["results"]
            self.assertEqual([f"{v['policy']}/{v['rule']}" for v in violations], [result["ruleId"] for result in found])

    def test_yaml_is_the_json_to_another_reader(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("PyYAML is not installed here; the unit tests read the YAML with kube/manifest.hpp")
        for report in REPORTS:
            self.assertEqual(json.loads(golden(f"{report}.json")), yaml.safe_load(golden(f"{report}.yaml")), report)


if __name__ == "__main__":
    unittest.main()
