"""The evidence report of a recorded day in a real browser and on paper. tests/report/run sets FLUXGATE and MAKE_DAY."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser

WIDTHS = {"a desk": 1280, "a telephone": 390}

# The lowest contrast of any text with what is behind it (WCAG 2.2, 1.4.3), and where.
CONTRAST = """(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => { const [r, g, b] = colour.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  let worst = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, svg = element.closest("svg");
    if (!walker.currentNode.data.trim() || element.closest("title")) continue;
    const a = light(numbers(svg ? getComputedStyle(element).fill : getComputedStyle(element).color)), b = light(behind(svg ? svg.parentElement : element));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < worst[0]) worst = [contrast, walker.currentNode.data.trim().slice(0, 60)];
  }
  return worst; })()"""


class ReportInABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = Path(cls.folder.name)
        cls.page = root / "report.html"
        subprocess.run([os.environ["MAKE_DAY"], str(root / "day"), "1"], check=True, stdout=subprocess.DEVNULL)
        # 1: the verification finds the silence that the day has.
        made = subprocess.run([os.environ["FLUXGATE"], "audit", "report", "--audit", str(root / "day"), "--from", "2026-11-20", "--to", "2026-11-21",
                               "--key", str(root / "day" / "log.vkey"), "--out", str(cls.page)])
        assert made.returncode == 1, f"audit report ended with {made.returncode}"
        cls.browser = Browser()
        cls.browser.size(1280)
        cls.browser.media()
        cls.browser.open(cls.page)

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.media()
        self.browser.size(1280)

    def evaluate(self, expression):
        return self.browser.evaluate(expression)

    def test_the_browser_complains_of_nothing(self):
        self.browser.open(self.page)
        told = [event for event in self.browser.events
                if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening")]
        self.assertEqual(told, [])

    def test_it_asks_for_nothing_but_itself(self):
        self.browser.open(self.page)
        asked = [event["params"]["request"]["url"] for event in self.browser.events if event["method"] == "Network.requestWillBeSent"]
        self.assertEqual(asked, ["file://" + str(self.page)])

    def test_names_that_an_attacker_chose_are_text(self):
        self.assertEqual(self.evaluate("document.querySelectorAll('script, img, iframe, object, link, form, input').length"), 0)
        self.assertEqual(self.evaluate("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')).length"), 0)
        self.assertTrue(self.evaluate("document.title").startswith("Evidence report, prod-we-1"))
        text = self.evaluate("document.body.textContent")
        self.assertIn("<script>document.title='owned'</script>", text)
        self.assertIn("mallory\\u202e", text)
        self.assertNotIn("\u202e", text)

    def test_the_policy_of_the_page_forbids_what_is_not_its_own(self):
        policy = self.evaluate("document.querySelector('meta[http-equiv=Content-Security-Policy]').content")
        self.assertTrue(policy.startswith("default-src 'none'; style-src 'sha256-"), policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotEqual(self.evaluate("getComputedStyle(document.querySelector('.figures')).display"), "block", "the style sheet is in force")

    def test_every_link_leads_somewhere_and_every_id_is_one(self):
        self.assertEqual(self.evaluate("[...document.links].filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.href)"), [])
        self.assertEqual(self.evaluate("(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size; })()"), 0)
        self.assertEqual(self.evaluate("document.querySelectorAll('section.answer').length"), 18)

    def test_nothing_is_wider_than_the_window(self):
        for name, width in WIDTHS.items():
            with self.subTest(name):
                self.browser.size(width)
                self.assertLessEqual(self.evaluate("document.documentElement.scrollWidth"), width)

    def test_all_text_can_be_read_in_light_and_dark(self):
        for scheme in ("light", "dark"):
            with self.subTest(scheme):
                self.browser.media(scheme=scheme)
                contrast, where = self.evaluate(CONTRAST)
                self.assertGreaterEqual(contrast, 4.5, where)
        self.browser.media(scheme="dark")
        self.assertNotEqual(self.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")

    def test_who_does_not_see_finds_their_way(self):
        self.assertEqual(self.evaluate("document.querySelectorAll('th:not([scope])').length"), 0)
        self.assertEqual(self.evaluate("document.querySelectorAll('svg:not([role=img]), svg:not([aria-label])').length"), 0)
        self.assertEqual(self.evaluate("[...document.querySelectorAll('figure')].filter(f => !f.querySelector('details table')).length"), 0)
        levels = self.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1]))")
        self.assertEqual(levels.count(1), 1)
        self.assertEqual([(a, b) for a, b in zip(levels, levels[1:]) if b > a + 1], [])

    def test_on_paper_no_table_is_cut_and_every_page_has_its_header(self):
        self.browser.media("print")
        self.browser.size(680)  # A4 without its margins
        self.assertEqual(self.evaluate("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)"), [])
        titles = self.evaluate("[...document.querySelectorAll('h2, h3')].map(h => h.textContent)")
        paper = Path(self.folder.name) / "report.pdf"
        self.browser.pdf(paper)
        facts = subprocess.run(["pdfinfo", str(paper)], check=True, capture_output=True, text=True).stdout
        self.assertIn("A4", facts)
        pages = int(re.search(r"Pages:\s+(\d+)", facts).group(1))
        self.assertTrue(8 <= pages <= 30, pages)
        text = subprocess.run(["pdftotext", "-layout", str(paper), "-"], check=True, capture_output=True, text=True).stdout
        sheets = text.split("\f")[:pages]
        for number, sheet in enumerate(sheets, 1):
            self.assertIn("Fluxgate evidence report", sheet.splitlines()[0] if sheet.splitlines() else "", f"page {number}")
            self.assertIn(f"{number} / {pages}", sheet, f"page {number}")
        flat = re.sub(r"\s+", " ", text)
        for title in titles:
            self.assertIn(title, flat)


if __name__ == "__main__":
    unittest.main()
