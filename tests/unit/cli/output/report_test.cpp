#include "cli/output/report.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/limits.hpp"
#include "cli/output/text.hpp"
#include "kube/manifest.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/cli/output/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using nlohmann::ordered_json;

namespace {

const std::vector<std::string> kHostile{
    std::string("a\0b", 3),
    "\n",
    "a\r\n::error::planted\n::set-env name=x::y",
    "\n##vso[task.setvariable variable=x]y",
    "##vso[task.complete result=Succeeded;]",
    "##[error]planted",
    "\x1b]0;title\a\x1b[2J",
    "\x7f\xc2\x9b"
    "2J",
    "\xff\xfe\xc0\xaf",
    "\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe",
    "]]></failure><testcase name=\"planted\"/>",
    "a | b | c\n| planted | `x` |",
    "</code></details><img src=x onerror=y>",
    "yes",
    "null",
    "0x10",
    "- a: b # c",
    "'\"\\\\u0041\\",
    std::string(1 << 20, 'x'),
    std::string(1 << 18, '\n'),
    std::string(1 << 18, '|'),
};

std::string name_of(const std::string& hostile) { return visible(hostile, 40); }

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    each_line(text, [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
}

// As JSON can hold it.
std::string as_text(std::string_view text) {
    std::string out;
    each_character(text, [&](const Character& character) { out += character.valid ? character.bytes : kReplacement; });
    return out;
}

// The same value, read by the reader of policy files.
void check_same(const kube::Node& node, const ordered_json& json) {
    if (json.is_object()) {
        REQUIRE(node.entries().size() == json.size());
        std::size_t i = 0;
        for (const auto& [key, value] : json.items()) {
            CHECK(node.entries()[i].key == key);
            check_same(node.entries()[i++].value, value);
        }
    } else if (json.is_array()) {
        REQUIRE(node.items().size() == json.size());
        for (std::size_t i = 0; i < json.size(); ++i) check_same(node.items()[i], json[i]);
    } else if (json.is_string()) {
        CHECK(node.kind() == kube::Node::Kind::string);
        CHECK(node.text() == json.get<std::string>());
    } else if (json.is_boolean()) {
        CHECK(node.kind() == kube::Node::Kind::boolean);
        CHECK(node.as_bool() == json.get<bool>());
    } else if (json.is_number()) {
        CHECK(node.kind() == kube::Node::Kind::integer);
        CHECK(node.as_integer() == json.get<std::int64_t>());
    } else {
        CHECK(node.kind() == kube::Node::Kind::null);
    }
}

void check_yaml_is(const std::string& yaml, const ordered_json& json) {
    Limits limits;
    limits.policy_file_bytes_max = std::size_t{1} << 30;
    const auto read = kube::read_manifests(yaml, limits);
    for (const auto& problem : read.problems) {  // NUL is read as it is, and then refused: policy files have no use for it
        if (problem.message.find("NUL") == std::string::npos) FAIL_CHECK(problem.position.line << ": " << problem.message);
    }
    REQUIRE(read.documents.size() == 1);
    check_same(read.documents[0].root, json);
}

sample::Report many(std::size_t count) {
    sample::Report report = sample::small();
    Judged judged = report.judged.front();
    judged.findings.resize(1);
    report.judged.assign(count, judged);
    return report;
}

ordered_json sarif_run(const sample::Report& report, const OutputOptions& options = {}) {
    return ordered_json::parse(sample::shown(Format::sarif, report, options))["runs"][0];
}

std::vector<std::string> fingerprints(const sample::Report& report) {
    std::vector<std::string> found;
    const ordered_json run = sarif_run(report);
    for (const auto& result : run["results"]) found.push_back(result["partialFingerprints"]["primaryLocationLineHash"].get<std::string>());
    return found;
}

}  // namespace

TEST_CASE("a format has one name") {
    for (std::size_t i = 0; i < format_names().size(); ++i) CHECK(static_cast<std::size_t>(format_named(format_names()[i])) == i);
    CHECK(format_names().front() == "table");
    CHECK(format_named("sarif") == Format::sarif);
    CHECK(format_named("markdown") == Format::markdown);
}

TEST_CASE("an object is named as people say it") {
    CHECK(to_string(ObjectName{"apps/v1", "Deployment", "production", "web"}) == "Deployment production/web");
    CHECK(to_string(ObjectName{"v1", "Namespace", "", "production"}) == "Namespace production");
    CHECK(to_string(ObjectName{"v1", "Pod", "", ""}) == "Pod");
    CHECK(to_string(ObjectName{}).empty());
}

TEST_CASE("a recorded review is a line with exactly the members of its contract") {
    Judged judged = sample::small().judged.front();
    judged.uid = "8b0a";
    judged.findings.push_back(sample::problem(Level::warn, {}, "only a warning"));
    judged.findings.resize(3);
    judged.findings.erase(judged.findings.begin() + 1);
    judged.warnings = {"p/r: only a warning"};
    CHECK(
        sample::shown(Format::jsonl, {.judged = {judged}}) ==
        R"({"uid":"8b0a","allowed":false,"violations":[{"policy":"images","rule":"no-latest","path":".spec.template.spec.containers[name=\"web\"].image","message":"have \"nginx:latest\", want another tag"}],"warnings":["p/r: only a warning"]})"
        "\n");
    Judged unreadable{.recorded = true, .allowed = false};
    unreadable.findings.push_back(sample::problem(Level::error, {}, "invalid_json: no"));
    CHECK(sample::shown(Format::jsonl, {.judged = {unreadable}}) ==
          R"({"uid":"","allowed":false,"violations":[],"warnings":[],"error":"invalid_json: no"})"
          "\n");
}

// These hold values whole.
bool is_document(Format format) { return format >= Format::json && format <= Format::sarif; }

TEST_CASE("no value breaks a line, moves a cursor or gives a pipeline a command") {
    for (const std::string& text : kHostile) {
        INFO(name_of(text));
        const auto report = sample::hostile(text);
        for (const Format format : {Format::table, Format::github, Format::azuredevops, Format::markdown, Format::jsonl, Format::json,
                                    Format::yaml, Format::junit, Format::sarif}) {
            INFO(format_names()[static_cast<std::size_t>(format)]);
            const std::string out = sample::shown(format, report);
            std::size_t controls = 0;
            each_character(out, [&](const Character& character) { controls += is_control(character.code) && character.code != '\n'; });
            CHECK(controls == 0);
            CHECK(as_text(out) == out);
            for (const std::string& line : lines_of(out)) {
                const bool is_command = line.starts_with("::") || line.starts_with("##vso[");
                if (is_command)
                    CHECK((line.starts_with("::error file=") || line.starts_with("::warning file=") || line.starts_with("::notice file=") ||
                           line.starts_with("##vso[task.logissue type=")));
                CHECK(line.find("##vso[", 1) == std::string::npos);
                CHECK(line.find("##[") == std::string::npos);
                if (!is_document(format)) CHECK(line.size() < 60'000);
            }
        }
    }
}

TEST_CASE("a hostile value makes as many lines as a harmless one") {
    for (const Format format : {Format::github, Format::azuredevops, Format::jsonl}) {
        const std::size_t lines = lines_of(sample::shown(format, sample::hostile("harmless"))).size();
        for (const std::string& text : kHostile) {
            INFO(format_names()[static_cast<std::size_t>(format)] << ", " << name_of(text));
            CHECK(lines_of(sample::shown(format, sample::hostile(text))).size() == lines);
        }
    }
}

TEST_CASE("JSON and YAML give back every value") {
    for (const std::string& text : kHostile) {
        INFO(name_of(text));
        const auto report = sample::hostile(text);
        const auto json = ordered_json::parse(sample::shown(Format::json, report));
        CHECK(json["results"][0]["file"] == as_text(text));
        CHECK(json["results"][0]["object"]["name"] == as_text(text));
        CHECK(json["results"][0]["violations"][0]["have"] == as_text(text));
        CHECK(json["results"][0]["warnings"][0] == as_text(text));
        CHECK(json["results"][1]["problems"][0]["message"] == as_text(text));
        check_yaml_is(sample::shown(Format::yaml, report), json);
    }
    check_yaml_is(sample::shown(Format::yaml, sample::small()), ordered_json::parse(sample::shown(Format::json, sample::small())));
    check_yaml_is(sample::shown(Format::yaml, {}), ordered_json::parse(sample::shown(Format::json, {})));
}

TEST_CASE("JSON Lines for manifests say what JSON says") {
    const auto report = sample::small();
    const auto json = ordered_json::parse(sample::shown(Format::json, report));
    const auto lines = lines_of(sample::shown(Format::jsonl, report));
    REQUIRE(lines.size() == report.judged.size());
    for (std::size_t i = 0; i < lines.size(); ++i) CHECK(ordered_json::parse(lines[i]) == json["results"][i]);
}

TEST_CASE("the table names guidance once, and an allowed object only if asked") {
    const std::string table = sample::shown(Format::table, sample::small());
    CHECK(table.find("Pin the image") == table.rfind("Pin the image"));
    CHECK(table.find("Namespace production") == std::string::npos);
    CHECK(sample::shown(Format::table, sample::small(), {.show_allowed = true}).find("allowed Namespace production") != std::string::npos);
    CHECK(lines_of(sample::shown(Format::table, {})).size() == 1);
}

TEST_CASE("a warning that no finding explains is in the table") {
    Judged judged;
    judged.object = sample::object("v1", "Pod", "", "a");
    judged.warnings = {"Fluxgate would deny: p/r"};
    CHECK(sample::shown(Format::table, {.judged = {judged}}).find("Fluxgate would deny: p/r") != std::string::npos);
}

TEST_CASE("an object that passes by an exception alone is in the table") {
    Judged judged;
    judged.object = sample::object("v1", "Pod", "production", "a");
    judged.exceptions = {"production/until-june"};
    CHECK(sample::shown(Format::table, {.judged = {judged}}).starts_with("allowed Pod production/a"));
}

TEST_CASE("a SARIF fingerprint stays when lines and values move, and differs for whatever else differs") {
    const auto before = fingerprints(sample::small());
    struct Row {
        const char* name;
        bool stays;
        void (*change)(Judged&);
    };
    const Row row = GENERATE(values<Row>({
        {"the line", true,
         [](Judged& judged) {
             judged.findings[0].place.position = {99, 1};
         }},
        {"the value", true, [](Judged& judged) { judged.findings[0].have = judged.findings[0].message = "other"; }},
        {"the guidance", true, [](Judged& judged) { judged.findings[0].guidance = "other"; }},
        {"the rule", false, [](Judged& judged) { judged.findings[0].rule = "other"; }},
        {"the policy", false, [](Judged& judged) { judged.findings[0].policy = "other"; }},
        {"the path", false, [](Judged& judged) { judged.findings[0].path = ".other"; }},
        {"the file", false, [](Judged& judged) { judged.findings[0].place.file = "other.yaml"; }},
        {"the object", false, [](Judged& judged) { judged.object.name = "other"; }},
        {"where a name ends", false,
         [](Judged& judged) {
             judged.object = {"apps/v1", "Deployment", "productionw", "eb"};
         }},
    }));
    INFO(row.name);
    auto report = sample::small();
    row.change(report.judged[0]);
    CHECK((fingerprints(report)[0] == before[0]) == row.stays);
}

TEST_CASE("equal findings have fingerprints of their own in SARIF") {
    const auto found = fingerprints(many(3));
    REQUIRE(found.size() == 3);
    CHECK(found[0].ends_with(":1"));
    CHECK(found[1].ends_with(":2"));
    CHECK(found[0].substr(0, 32) == found[2].substr(0, 32));
}

TEST_CASE("a SARIF result points at its rule, also for rules that were known late or never") {
    const ordered_json run = sarif_run(sample::small());
    const auto& rules = run["tool"]["driver"]["rules"];
    REQUIRE(run["results"].size() == 4);
    for (const auto& result : run["results"]) CHECK(rules[result["ruleIndex"].get<std::size_t>()]["id"] == result["ruleId"]);
    CHECK(std::count_if(rules.begin(), rules.end(), [](const auto& rule) { return rule["id"] == "images/registries"; }) == 1);
    CHECK(rules[1]["properties"]["tags"] == ordered_json({"images", "PCI-DSS 4.0: 6.3.2"}));
    CHECK(rules.back()["id"] == "images/unused");
    CHECK(run["invocations"][0]["executionSuccessful"] == false);
    CHECK(run["invocations"][0]["toolExecutionNotifications"].size() == 2);
}

TEST_CASE("SARIF holds no more results than its readers take, and says how many are left out") {
    const ordered_json run = sarif_run(many(25'007));
    CHECK(run["results"].size() == 25'000);
    REQUIRE(run["invocations"][0]["toolExecutionNotifications"].size() == 1);
    CHECK(run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] ==
          "7 more findings are left out: at most 25000 are written");
    CHECK(sarif_run(many(3), {.findings_max = 2})["results"].size() == 2);
}

TEST_CASE("a SARIF rule has no more tags and no longer description than its readers take") {
    auto report = sample::small();
    report.summary.rules[0].compliance.clear();
    for (int i = 0; i < 40; ++i) report.summary.rules[0].compliance.push_back("criterion " + std::to_string(i));
    report.summary.rules[0].description = std::string(5'000, 'x');
    const ordered_json rule = sarif_run(report)["tool"]["driver"]["rules"][1];
    CHECK(rule["properties"]["tags"].size() == 20);
    CHECK(rule["shortDescription"]["text"].get<std::string>().size() <= 1'024);
    CHECK(rule["fullDescription"]["text"].get<std::string>().size() <= 1'024);
}

TEST_CASE("a file is a URI in SARIF") {
    struct Row {
        const char* file;
        const char* uri;
        bool relative;
    };
    const Row row = GENERATE(values<Row>({
        {"apps/web.yaml", "apps/web.yaml", true},
        {"./apps/web.yaml", "apps/web.yaml", true},
        {"/srv/web.yaml", "file:///srv/web.yaml", false},
        {"a b#c?d%.yaml", "a%20b%23c%3Fd%25.yaml", true},
        {"c:x.yaml", "c%3Ax.yaml", true},
        {"\xc3\xa9.yaml", "%C3%A9.yaml", true},
        {"<stdin>", "%3Cstdin%3E", true},
    }));
    INFO(row.file);
    auto report = sample::small();
    report.judged[0].findings[0].place.file = row.file;
    const ordered_json location = sarif_run(report)["results"][0]["locations"][0]["physicalLocation"];
    CHECK(location["artifactLocation"]["uri"] == row.uri);
    CHECK(location["artifactLocation"].contains("uriBaseId") == row.relative);
}

TEST_CASE("a finding about a whole file has no region in SARIF, and no line elsewhere") {
    auto report = sample::small();
    report.judged.resize(1);
    report.judged[0].findings.resize(1);
    report.judged[0].findings[0].place.position = {};
    const auto sarif = ordered_json::parse(sample::shown(Format::sarif, report));
    CHECK_FALSE(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"].contains("region"));
    CHECK(sample::shown(Format::github, report).starts_with("::error file=apps/web.yaml,title="));
    CHECK(sample::shown(Format::azuredevops, report)
              .starts_with("##vso[task.logissue type=error;sourcepath=apps/web.yaml;code=images/no-latest;]"));
}

TEST_CASE("Markdown stays below what a comment may hold, and says how much more there is") {
    for (const std::string& text : kHostile) {
        INFO(name_of(text));
        auto report = sample::hostile(text);
        report.judged.resize(1);
        for (int i = 0; i < 300; ++i) report.judged[0].findings[1].guidance += "x";
        report.judged.resize(text.size() > 100'000 ? 40 : 400, report.judged.front());
        for (std::size_t i = 0; i < report.judged.size(); ++i) report.judged[i].findings[1].guidance += std::to_string(i);
        const std::string markdown = sample::shown(Format::markdown, report);
        CHECK(markdown.size() < 65'536);
        CHECK(markdown.find("more findings are not shown") != std::string::npos);
        CHECK(markdown.find("more problems are not shown") != std::string::npos);
        const auto count = [&](std::string_view part) {
            std::size_t found = 0;
            for (std::size_t at = markdown.find(part); at != std::string::npos; at = markdown.find(part, at + 1)) ++found;
            return found;
        };
        CHECK(count("<details>") == count("</details>"));
        CHECK(count("<code>") == count("</code>"));
        CHECK(count("<img") == 0);
    }
}

TEST_CASE("a row of a Markdown table has its five cells whatever stands in them") {
    for (const std::string& text : kHostile) {
        INFO(name_of(text));
        for (const std::string& line : lines_of(sample::shown(Format::markdown, sample::hostile(text)))) {
            if (line.starts_with("|")) CHECK(std::count(line.begin(), line.end(), '|') == 6);
        }
    }
}

TEST_CASE("a JUnit suite is closed when its file ends or when it is full") {
    auto report = many(10'001);
    report.judged.push_back(sample::small().judged[2]);
    const std::string xml = sample::shown(Format::junit, report);
    std::vector<std::string> suites;
    for (const std::string& line : lines_of(xml)) {
        if (line.find("<testsuite ") != std::string::npos) suites.push_back(line);
    }
    REQUIRE(suites.size() == 3);
    CHECK(suites[0] == R"(  <testsuite name="apps/web.yaml" tests="10000" failures="10000" errors="0" skipped="0" time="0">)");
    CHECK(suites[1] == R"(  <testsuite name="apps/web.yaml" tests="1" failures="1" errors="0" skipped="0" time="0">)");
    CHECK(suites[2] == R"(  <testsuite name="base/namespace.yaml" tests="1" failures="0" errors="0" skipped="0" time="0">)");
}
