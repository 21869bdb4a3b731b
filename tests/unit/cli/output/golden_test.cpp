// tests/unit/cli/output/golden/: what each format makes of a small report and of a hostile one, whole. FLUXGATE_GOLDEN_REWRITE=1
// writes them anew; review the diff like code. tests/process/outputs_test.py reads them with readers that are not ours.

#include <cstdlib>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/unit/cli/output/sample.hpp"

using namespace fluxgate::cli;

namespace {

void compare_with_golden(const std::string& name, const std::string& text) {
    INFO("tests/unit/cli/output/golden/" << name);
    const std::string path = std::string(FLUXGATE_SOURCE_DIR) + "/tests/unit/cli/output/golden/" + name;
    const char* rewrite = std::getenv("FLUXGATE_GOLDEN_REWRITE");
    if (rewrite && *rewrite == '1') std::ofstream(path, std::ios::binary) << text;
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    CHECK(text == std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace

TEST_CASE("a small report in every format is as reviewed") {
    for (const std::string& name : format_names()) compare_with_golden("small." + name, sample::shown(format_named(name), sample::small()));
    compare_with_golden("small.colour.table", sample::shown(Format::table, sample::small(), {.style = Style(true), .show_allowed = true}));
}

TEST_CASE("a hostile report in every format is as reviewed") {
    const std::string text =
        "<b>&amp;\"'`|]]>\x1b[2J\a\x7f\xc2\x9b\n::error::x\r\n##vso[task.setvariable variable=a;]b##[error]\t%25,;:]\xff\xe2\x80\xae"
        "end [a](https://x) @everyone ../{0} ```\n# h\n--- \\";
    for (const std::string& name : format_names())
        compare_with_golden("hostile." + name, sample::shown(format_named(name), sample::hostile(text)));
}

TEST_CASE("an empty report in every format is as reviewed") {
    for (const std::string& name : format_names()) compare_with_golden("empty." + name, sample::shown(format_named(name), {}));
}
