#include "cli/audit/output/report_outputs.hpp"

#include <functional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/audit/output/html_text.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

namespace {

// Everything in it that a stranger can choose is `name`.
audit::Report report_with(const std::string& name) {
    audit::Answer answer{.number = 1, .title = "Attempts", .question = "Who?", .sentence = "By " + name + "."};
    answer.figures = {{"users", name}};
    answer.tables = {
        {.title = "Users", .columns = {{"user"}, {"denied", true}}, .rows = {{name, "17"}}, .more = 3, .command = "fluxgate audit query"}};
    answer.charts = {{.kind = audit::Chart::Kind::bars,
                      .title = "By user",
                      .says = name,
                      .series = {{"denied", audit::Tone::good}},
                      .categories = {name},
                      .values = {{17}}},
                     {.kind = audit::Chart::Kind::lanes,
                      .title = "Over time",
                      .says = "…",
                      .series = {{"on", audit::Tone::good}},
                      .categories = {name},
                      .spans = {{0, 0, WallTime{}, WallTime{std::chrono::hours(1)}, name}}}};
    answer.not_recorded = {{"Addresses", "they are not there", "elsewhere"}};
    answer.citations = {{"17"}, 2};
    return {.to = WallTime{std::chrono::hours(2)},
            .clusters = {name},
            .basis = {.origin = name, .size = 18, .root = "abc", .findings = {name}},
            .headline = "By " + name,
            .attention = {name + " (question 1)."},
            .answers = {answer},
            .controls = {{"PCI DSS 4.0.1", "6.5.1", "changes have a reason", {1}}}};
}

std::string written(void (*write)(const audit::Report&, std::ostream&), const std::string& name) {
    std::ostringstream out;
    write(report_with(name), out);
    return out.str();
}

}  // namespace

TEST_CASE("no name becomes a part of the page") {
    const std::string plain = written(write_report_html, "alice");
    const auto tags = [](const std::string& page) {
        std::ptrdiff_t breaks = 0;
        for (std::size_t at = page.find("<wbr>"); at != std::string::npos; at = page.find("<wbr>", at + 1)) ++breaks;
        return std::count(page.begin(), page.end(), '<') - breaks;
    };
    const auto quotes = [](const std::string& page) { return std::count(page.begin(), page.end(), '"'); };
    for (const char* name : {"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "</style><script>",
                             "<!--", "]]>", "&lt;b&gt;", "a\nb",
                             "\xe2\x80\xae"
                             "ecila",
                             "\xf0\x9f\xa6\x84", "\xff\xfe"}) {
        INFO(name);
        const std::string page = written(write_report_html, name);
        CHECK(tags(page) == tags(plain));
        CHECK(quotes(page) == quotes(plain));
        CHECK(page.find("\xe2\x80\xae") == std::string::npos);
        CHECK(page.find('\xff') == std::string::npos);
    }
}

TEST_CASE("text for HTML, character by character") {
    CHECK(html_text("a<b>&\"'`") == "a&lt;b&gt;&amp;&quot;&#39;&#96;");
    CHECK(html_text("\xe2\x80\xae") == "\\u202e");
    CHECK(html_text("\xf0\x9f\xa6\x84") == "\xf0\x9f\xa6\x84");
    CHECK(html_text(std::string(10'000, 'a')).size() < 700);
}

TEST_CASE("a long name may be broken where its parts end, and a part without end too") {
    struct Row {
        std::string text;
        std::string html;
    };
    for (const Row& row :
         {Row{"alice", "alice"}, Row{"", ""}, Row{"UPDATE by bob", "UPDATE by bob"},
          Row{"system:serviceaccount:ci:deployer", "system:<wbr>serviceaccount:<wbr>ci:deployer"},
          Row{"production/deployments.apps/web", "production/<wbr>deployments.<wbr>apps/<wbr>web"},
          Row{"a/<b>/c&d:", "a/&lt;b&gt;/<wbr>c&amp;d:<wbr>"},
          Row{std::string(50, 'x'), std::string(24, 'x') + "<wbr>" + std::string(24, 'x') + "<wbr>xx"}, Row{"<wbr>", "&lt;wbr&gt;"}}) {
        INFO(row.text);
        CHECK(html_breakable(row.text) == row.html);
    }
}

TEST_CASE("the page allows only its own style, and holds no script") {
    const std::string page = written(write_report_html, "alice");
    CHECK(page.find("default-src 'none'; style-src 'sha256-") != std::string::npos);
    for (const char* none : {"<script", "unsafe-inline", " style=", "http://", "https://", "src="}) {
        INFO(none);
        CHECK(page.find(none) == std::string::npos);
    }
}

TEST_CASE("no name becomes a formula or a row of a CSV") {
    for (const char* name : {"=HYPERLINK(\"x\")", "+1", "-1", "@SUM(A1)", "a\r\nb", "a,b", "\"a\""}) {
        INFO(name);
        const std::string csv = written(write_report_csv, name);
        CHECK(std::count(csv.begin(), csv.end(), '\n') == std::count(csv.begin(), csv.end(), '\r'));
        for (const char* formula : {",=", ",+", ",-", ",@", ",\"="}) CHECK(csv.find(formula) == std::string::npos);
    }
}

TEST_CASE("no name becomes Markdown or HTML in Markdown") {
    for (const char* name : {"a|b", "<img src=x>", "[x](https://evil.example)", "![x](y)", "@everyone", "a\n# b", "`x`"}) {
        INFO(name);
        const std::string markdown = written(write_report_markdown, name);
        CHECK(markdown.find(name) == std::string::npos);
        CHECK(markdown.find("<img") == std::string::npos);
    }
}

TEST_CASE("the report as JSON") {
    const auto json = nlohmann::json::parse(written(write_report_json, "\"},{\"a\":1"));
    CHECK(json["schema"] == "fluxgate.dev/evidence-report/v1");
    CHECK(json["answers"][0]["tables"][0]["rows"][0][0] == "\"},{\"a\":1");
    CHECK(json["answers"][0]["standing"] == "answered");
    CHECK(json["answers"][0]["restsOn"]["count"] == 2);
    CHECK(json["checkpoint"]["size"] == 18);
    CHECK(json["controls"][0]["questions"] == nlohmann::json::array({1}));
}
