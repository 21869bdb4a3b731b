"""Snippets that includes.py must accept or refuse. `None` means accepted, a text must be in one of the offences."""

from typing import List, Tuple

MAP = """
| folder | holds | may include | state |
|---|---|---|---|
| `base/` | values | – | here |
| `http/` | sockets | base | here |
| `kube/` | language | base | here |
| `kube/client/` | requests | base, http, kube | planned |
| `policy/` | verdicts | base, kube | here |
| `cli/` | main | all | here |
| `tests/` | tests | all | here |

| library | include prefix | CMake target | lives in |
|---|---|---|---|
| simdjson | `simdjson` | `simdjson::simdjson` | kube |
| TLS | `openssl/ssl.h` | `OpenSSL::SSL` | http |
| OpenSSL | `openssl/` | `OpenSSL::Crypto` | base, http |
| RE2 | `re2/` | – | policy |
"""
TREE = {"base/error.hpp", "http/server.hpp", "kube/review.hpp", "kube/client/watch.hpp", "policy/evaluate.hpp", "cli/demo.hpp", "docs/how-to/install.md"}

# name, file, text, expected
SOURCES = [
    ("downwards", "policy/evaluate.cpp", '#include "kube/review.hpp"', None),
    ("own folder", "policy/rules/images.cpp", '#include "policy/evaluate.hpp"', None),
    ("upwards", "kube/review.cpp", '#include "policy/evaluate.hpp"', "kube/ may not include policy/"),
    ("sideways", "kube/review.cpp", '#include "http/server.hpp"', "kube/ may not include http/"),
    ("nothing below base", "base/clock.cpp", '#include "http/server.hpp"', "it may include: nothing"),
    ("a sub-folder with its own row is another folder", "kube/review.cpp", '#include "kube/client/watch.hpp"', "may not include kube/client/"),
    ("and may look down", "kube/client/watch.cpp", '#include "kube/review.hpp"', None),
    ("the top sees all", "cli/main.cpp", '#include "kube/client/watch.hpp"', None),
    ("nobody sees the top", "http/server.cpp", '#include "cli/demo.hpp"', "http/ may not include cli/"),
    ("tests see all", "tests/unit/cli/demo_test.cpp", '#include "cli/demo.hpp"\n#include <simdjson.h>', None),
    ("not from the root", "http/server.cpp", '#include "server.hpp"', "not a file of the tree"),
    ("dots", "http/server.cpp", '#include "../base/error.hpp"', "not a file of the tree"),
    ("ours in angles", "http/server.cpp", "#include <base/error.hpp>", "write it in quotes"),
    ("spaces hide nothing", "base/clock.cpp", '  #  include   "kube/review.hpp"', "base/ may not include kube/"),
    ("a comment is not an include", "base/clock.cpp", '// #include "kube/review.hpp"', None),
    ("unknown folder", "util/strings.cpp", "int x;", "has no row"),
    ("library at home", "kube/review.cpp", "#include <simdjson.h>", None),
    ("library abroad", "policy/evaluate.cpp", "#include <simdjson.h>", "simdjson (<simdjson.h>) lives in kube"),
    ("the longest prefix counts", "base/digest.cpp", "#include <openssl/ssl.h>", "TLS (<openssl/ssl.h>) lives in http"),
    ("the shorter prefix", "base/digest.cpp", "#include <openssl/evp.h>", None),
    ("a sub-folder is not the library's home", "kube/client/watch.cpp", "#include <simdjson.h>", "lives in kube"),
    ("free for all", "policy/evaluate.cpp", "#include <vector>\n#include <fmt/format.h>", None),
    ("a prefix is a folder", "base/clock.cpp", "#include <re2c.h>", None),
    ("pragma once", "base/id.hpp", "\n#pragma once\n", None),
    ("pragma late", "base/id.hpp", "#include <string>\n#pragma once", "starts with #pragma once"),
    ("pragma missing", "base/id.hpp", "", "starts with #pragma once"),
]

LINKS = [
    ("downwards", "fluxgate_library(policy LINK PUBLIC fluxgate_base fluxgate_kube)", None),
    ("upwards", "fluxgate_library(kube LINK PUBLIC fluxgate_base\n   PRIVATE fluxgate_policy)", "kube/ may not link fluxgate_policy"),
    ("by the other command", "target_link_libraries(fluxgate_kube PRIVATE fluxgate_http)", "kube/ may not link fluxgate_http"),
    ("a sub-folder", "target_link_libraries(fluxgate_kube_client PRIVATE fluxgate_http)", None),
    ("the program is the top", "target_link_libraries(fluxgate PRIVATE fluxgate_policy)", None),
    ("library at home", "fluxgate_library(kube LINK PRIVATE simdjson::simdjson)", None),
    ("library abroad", "fluxgate_library(policy LINK PRIVATE simdjson::simdjson)", "may be linked by kube, not by policy/"),
    ("free for all", "fluxgate_library(policy LINK PRIVATE fmt::fmt)", None),
    ("no row", "fluxgate_library(util LINK PRIVATE fmt::fmt)", "the library util has no row"),
    ("a comment is not a call", "# fluxgate_library(kube LINK fluxgate_policy)", None),
    ("a test's target", "target_link_libraries(test_policy PRIVATE fluxgate_http)", None),
]

# Put together here, because this file is committed text too.
TEXTS = [
    ("prose", "the request path makes no call; see https://example.com/work/of/others", None),
    ("a build folder", "cd /" + "work/main && make", "a path of one machine"),
    ("a home", 'path = "/' + 'root/.cache"', "a path of one machine"),
    ("a home alone", "`/" + "root`", "a path of one machine"),
    ("workload", "apps/workload and /workspace", None),
    ("a mirror", "deb http://deb." + "debian.org/debian bookworm main", "package registry"),
    ("a module proxy", "GOPROXY=https://proxy." + "golang.org", "package registry"),
    ("an image registry is data", "image: registry.k8s.io/pause:3.10", None),
]

PAGES = [
    ("a page", "see [installing](../how-to/install.md#first)", None),
    ("a folder", "see [how-to](../how-to/)", None),
    ("outside", "see [k8s](https://kubernetes.io/docs/) and [below](#below)", None),
    ("nowhere", "see [removing](../how-to/remove.md)", "leads nowhere"),
    ("code", "`[x](nothing.md)`\n```\n[x](nothing.md)\n```", None),
]

MAPS = [
    ("the map", MAP, None),
    ("a circle", MAP.replace("| values | –", "| values | policy"), "may reach itself"),
    ("an arrow to the top", MAP.replace("| values | –", "| values | cli"), "may reach itself through cli/"),
    ("an unknown folder", MAP.replace("| sockets | base", "| sockets | base, util"), "util/, which has no row"),
    ("a library without a home", MAP.replace("| – | policy |", "| – | regex |"), "RE2 lives in regex/"),
    ("no tables", "# Structure", "are not there"),
]


def run(checks) -> Tuple[int, List[str]]:
    """`checks` is the module includes.py. Returns how many cases were tried and a line for each that went wrong."""
    the_map = checks.read_map(MAP)[0]
    cases = [(name, checks.check_source(path, text, the_map, TREE), expected) for name, path, text, expected in SOURCES]
    cases += [(name, checks.check_links("CMakeLists.txt", text, the_map), expected) for name, text, expected in LINKS]
    cases += [(name, checks.check_text("README.md", text), expected) for name, text, expected in TEXTS]
    cases += [(name, checks.check_markdown("docs/explanation/x.md", text, TREE), expected) for name, text, expected in PAGES]
    cases += [(name, checks.read_map(text)[1], expected) for name, text, expected in MAPS]
    broken = []
    for name, offences, expected in cases:
        found = [str(offence) for offence in offences]
        if (expected is None and found) or (expected is not None and not any(expected in text for text in found)):
            broken.append(f"self-test: {name}: expected {expected or 'no offence'}, found {found or 'none'}")
    return len(cases), broken
