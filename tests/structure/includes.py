#!/usr/bin/env python3
"""Compares the tree with the map in docs/explanation/structure.md, which it reads as data.

Checked: the direction and the spelling of every #include, the home of every library, the links between CMake targets,
`#pragma once` in headers, relative links in our Markdown, and that no committed text names a path of one machine or a
package registry. Every offence is printed as FILE:LINE: what, and the exit code is 1. Each run first tries itself on
the snippets of self_test.py, so that a check which stopped biting is noticed. Standard library only.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

ROOT = Path(__file__).resolve().parents[2]
MAP = "docs/explanation/structure.md"
SOURCE = (".hpp", ".cpp")


class Offence(NamedTuple):
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class Library(NamedTuple):
    name: str
    prefixes: List[str]
    targets: List[str]
    homes: Set[str]


class Map(NamedTuple):
    """The two tables. `may[folder]` is None where everything is allowed."""

    may: Dict[str, Optional[Set[str]]]
    planned: Set[str]
    libraries: List[Library]

    def folder_of(self, path: str) -> Optional[str]:
        """The folder of the map a file belongs to: the longest that fits."""
        fitting = [folder for folder in self.may if path.startswith(folder + "/")]
        return max(fitting, key=len, default=None)

    def folder_of_target(self, target: str) -> Optional[str]:
        if target == "fluxgate":
            return "cli"
        return next((folder for folder in self.may if target == "fluxgate_" + folder.replace("/", "_")), None)


# --- reading the map --------------------------------------------------------------------------------------------------
def table_rows(text: str, first_cell: str) -> Iterator[Tuple[int, List[str]]]:
    """Rows (line, cells) of the Markdown table whose header begins with `first_cell`."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == first_cell:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            yield number, cells


def names(cell: str) -> List[str]:
    return [name.strip(" `").rstrip("/") for name in cell.split(",") if name.strip(" `–")]


def read_map(text: str) -> Tuple[Map, List[Offence]]:
    offences: List[Offence] = []
    may: Dict[str, Optional[Set[str]]] = {}
    planned: Set[str] = set()
    where: Dict[str, int] = {}
    for number, (folder, _holds, allowed, state) in table_rows(text, "folder"):
        name = folder.strip("`").rstrip("/")
        where[name] = number
        may[name] = None if allowed == "all" else set(names(allowed))
        if state == "planned":
            planned.add(name)
    libraries = []
    for number, (library, prefixes, targets, homes) in table_rows(text, "library"):
        # A prefix keeps its slash: `re2/` must not fit "re2c.h".
        libraries.append(Library(library, [p.strip(" `") for p in prefixes.split(",")], names(targets), set(names(homes))))
        offences += [Offence(MAP, number, f"{library} lives in {home}/, which has no row") for home in names(homes) if home not in may]
    if not may or not libraries:
        offences.append(Offence(MAP, 1, "the tables of folders and libraries are not there"))
    for folder, allowed in may.items():
        offences += [Offence(MAP, where[folder], f"{folder}/ may include {name}/, which has no row") for name in allowed or () if name not in may]
    if not offences:
        offences += [Offence(MAP, where[folder], f"{folder}/ may reach itself through {step}/") for folder, step in circles(may)]
    return Map(may, planned, libraries), offences


def circles(may: Dict[str, Optional[Set[str]]]) -> Iterator[Tuple[str, str]]:
    """Folders from which the arrows lead back; the top (all) has no arrows into it to check."""

    def reaches(start: str, goal: str, seen: Set[str]) -> bool:
        if start == goal:
            return True
        seen.add(start)
        return any(next_ not in seen and reaches(next_, goal, seen) for next_ in may.get(start) or ())

    for folder, allowed in may.items():
        for step in sorted(allowed or ()):
            if may.get(step) is None or reaches(step, folder, set()):
                yield folder, step


# --- C++ --------------------------------------------------------------------------------------------------------------
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def check_source(path: str, text: str, the_map: Map, tree: Set[str]) -> Iterator[Offence]:
    folder = the_map.folder_of(path)
    lines = text.splitlines()
    if path.endswith(".hpp"):
        first = next(((number, line) for number, line in enumerate(lines, 1) if line.strip()), (1, ""))
        if first[1].strip() != "#pragma once":
            yield Offence(path, first[0], "a header starts with #pragma once")
    if folder is None:
        yield Offence(path, 1, f"the folder of this file has no row in {MAP}")
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if found and found[1]:
            yield from check_own_include(path, number, found[1], folder, the_map, tree)
        elif found:
            if found[2] in tree:
                yield Offence(path, number, f"<{found[2]}> is ours; write it in quotes")
            yield from check_library_include(path, number, found[2], folder, the_map)


def check_own_include(path: str, line: int, included: str, folder: str, the_map: Map, tree: Set[str]) -> Iterator[Offence]:
    if included not in tree:
        yield Offence(path, line, f'"{included}" is not a file of the tree; includes are written from its root')
        return
    target = the_map.folder_of(included)
    allowed = the_map.may[folder]
    if target is None:
        yield Offence(path, line, f'"{included}" lies in a folder without a row in {MAP}')
    elif target != folder and allowed is not None and target not in allowed:
        yield Offence(path, line, f'{folder}/ may not include {target}/ ("{included}"); it may include: {", ".join(sorted(allowed)) or "nothing"}')


def library_of(included: str, the_map: Map) -> Optional[Library]:
    fitting = [(len(prefix), library) for library in the_map.libraries for prefix in library.prefixes if included.startswith(prefix)]
    return max(fitting, key=lambda pair: pair[0], default=(0, None))[1]


def check_library_include(path: str, line: int, included: str, folder: str, the_map: Map) -> Iterator[Offence]:
    library = library_of(included, the_map)
    if library and folder != "tests" and folder not in library.homes:
        yield Offence(path, line, f"{library.name} (<{included}>) lives in {', '.join(sorted(library.homes))}, not in {folder}/")


# --- CMake ------------------------------------------------------------------------------------------------------------
CALL = re.compile(r"^[ \t]*(fluxgate_library|target_link_libraries)\s*\(([^()]*)\)", re.MULTILINE)
KEYWORDS = {"LINK", "PUBLIC", "PRIVATE", "INTERFACE"}


def check_links(path: str, text: str, the_map: Map) -> Iterator[Offence]:
    for call in CALL.finditer(text):
        line = text.count("\n", 0, call.start(1)) + 1
        words = re.sub(r"#[^\n]*", "", call[2]).split()
        if not words:
            continue
        folder = words[0] if call[1] == "fluxgate_library" else the_map.folder_of_target(words[0])
        if folder not in the_map.may:
            if call[1] == "fluxgate_library":
                yield Offence(path, line, f"the library {words[0]} has no row in {MAP}")
            continue
        for linked in words[1:]:
            if linked not in KEYWORDS:
                yield from check_link(path, line, folder, linked, the_map)


def check_link(path: str, line: int, folder: str, linked: str, the_map: Map) -> Iterator[Offence]:
    allowed = the_map.may[folder]
    target = the_map.folder_of_target(linked)
    if target and target != folder and allowed is not None and target not in allowed:
        yield Offence(path, line, f"{folder}/ may not link {linked}; it may link: {', '.join(sorted(allowed)) or 'nothing'}")
    for library in the_map.libraries:
        if linked in library.targets and folder != "tests" and folder not in library.homes:
            yield Offence(path, line, f"{linked} may be linked by {', '.join(sorted(library.homes))}, not by {folder}/")


# --- all committed text -----------------------------------------------------------------------------------------------
# Written so that this file does not offend itself.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root)(?:/[\w.-]|\b(?=[\s\"'`]))")
REGISTRY = re.compile(
    r"\b(?:(?:deb|security|snapshot|ftp)[.]debian[.]org|files[.]pythonhosted[.]org|(?:test[.])?pypi[.]org|registry[.]npmjs[.]org"
    r"|(?:static[.]|index[.])?crates[.]io|(?:proxy|sum|index)[.]golang[.]org|repo1?[.]maven[.](?:apache[.])?org|archive[.]ubuntu[.]com)\b"
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def check_text(path: str, text: str) -> Iterator[Offence]:
    for number, line in enumerate(text.splitlines(), 1):
        for found in MACHINE_PATH.finditer(line):
            yield Offence(path, number, f"a path of one machine: {found[0]}")
        for found in REGISTRY.finditer(line):
            yield Offence(path, number, f"the address of a package registry: {found[0]}")


def check_markdown(path: str, text: str, tree: Set[str]) -> Iterator[Offence]:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if fenced:
            continue
        for found in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = found[1].split("#")[0]
            if not target or re.match(r"[a-z]+:", target):
                continue
            full = os.path.normpath(os.path.join(os.path.dirname(path), target))
            if full not in tree and not any(name.startswith(full + "/") for name in tree):
                yield Offence(path, number, f"the link to {target} leads nowhere")


# --- the tree ---------------------------------------------------------------------------------------------------------
def committed_files() -> List[str]:
    """What git tracks or would track; without git, or in somebody else's checkout, everything but build/."""
    try:
        out = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
        ).stdout
        listed = [name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        listed = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.relative_to(ROOT).parts[0] not in ("build", ".git")]
    return sorted(name for name in listed if (ROOT / name).is_file() and not (ROOT / name).is_symlink())


def check_tree() -> Tuple[List[Offence], int]:
    files = committed_files()
    tree = set(files)
    the_map, offences = read_map((ROOT / MAP).read_text(encoding="utf-8"))
    for folder in sorted(the_map.planned):
        if any(name.startswith(folder + "/") for name in files):
            offences.append(Offence(MAP, 1, f"{folder}/ is called planned, but it is here"))
    for name in files:
        data = (ROOT / name).read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        offences += check_text(name, text)
        if name.endswith(SOURCE):
            offences += check_source(name, text, the_map, tree)
        elif os.path.basename(name) == "CMakeLists.txt":
            offences += check_links(name, text, the_map)
        elif name.endswith(".md"):
            offences += check_markdown(name, text, tree)
    return offences, len(files)


def main() -> int:
    sys.dont_write_bytecode = True
    import self_test

    cases, broken = self_test.run(sys.modules[__name__])
    for line in broken:
        print(line)
    offences, files = check_tree()
    for offence in offences:
        print(offence)
    print(f"structure: {cases} self-test cases, {files} files, {len(broken) + len(offences)} offences")
    return 1 if broken or offences else 0


if __name__ == "__main__":
    sys.exit(main())
