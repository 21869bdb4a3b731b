#include "cli/audit/record_rows.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/output/style.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using audit::Record;
using audit::StoredRecord;
using nlohmann::ordered_json;

constexpr std::size_t kUserWidth = 28;
constexpr std::size_t kObjectWidth = 56;
constexpr std::size_t kNoteWidth = 200;

std::string joined(const std::vector<std::string>& parts, std::string_view between) { return fmt::format("{}", fmt::join(parts, between)); }

std::vector<std::string> rules_of(const Record& record) {
    std::vector<std::string> rules;
    for (const audit::RecordedViolation& violation : record.violations) {
        std::string rule = violation.policy + "/" + violation.rule;
        if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(std::move(rule));
    }
    return rules;
}

std::string resource_of(const Record& record) {
    const std::string name = record.group.empty() ? record.resource : record.resource + "." + record.group;
    return record.sub_resource.empty() ? name : name + "/" + record.sub_resource;
}

// Why, or what an event says.
std::string note_of(const Record& record) {
    if (record.event.empty()) {
        std::vector<std::string> notes = rules_of(record);
        for (const audit::RecordedGrant& grant : record.grants) notes.push_back("grant " + grant.name);
        if (!record.allowance.empty()) notes.push_back("allowance " + record.allowance);
        if (!record.error.empty()) notes.push_back("error: " + record.error);
        if (record.dry_run) notes.emplace_back("dry run");
        return joined(notes, ", ");
    }
    std::vector<std::string> notes = record.details;
    for (const auto& [name, value] : record.facts) notes.push_back(name + " " + value);
    for (const auto& [name, value] : record.counters) notes.push_back(fmt::format("{} {}", name, value));
    return joined(notes, ", ");
}

// Hidden characters are escaped, so what is counted is what is seen.
std::string cell(std::string_view text, std::size_t width) {
    std::string shown = visible(text, width);
    const std::size_t seen = display_width(shown);
    if (seen < width) shown.append(width - seen, ' ');
    return shown;
}

class TableOutput final : public RecordOutput {
public:
    void show(const StoredRecord& stored, const Record& record) override {
        if (!shown_) {
            fmt::print("{}\n", style_.paint(Colour::bold, fmt::format("{:>8}  {:<20}  {:<8}  {}  {}  {}", "INDEX", "TIME", "VERDICT",
                                                                      cell("WHO", kUserWidth), cell("WHAT", kObjectWidth), "WHY")));
        }
        shown_ = true;
        const std::string index = stored.index ? std::to_string(*stored.index) : "-";
        const std::string time = format_rfc3339(record.time).substr(0, 19) + "Z";
        const std::string_view verdict = record.event.empty() ? std::string_view(record.decision) : "event";
        const Colour colour = verdict == "denied" ? Colour::red : verdict == "allowed" ? Colour::green : Colour::grey;
        const std::string what = record.event.empty() ? object_of(record) : record.event;
        fmt::print("{:>8}  {}  {}  {}  {}  {}\n", index, time, style_.paint(colour, cell(verdict, 8)),
                   cell(record.username.empty() ? record.replica : record.username, kUserWidth), cell(what, kObjectWidth),
                   visible(note_of(record), kNoteWidth));
    }
    void end() override {
        if (!shown_) fmt::print("No records.\n");
    }

private:
    Style style_ = Style::of(stdout);
    bool shown_ = false;
};

class JsonOutput final : public RecordOutput {
public:
    void show(const StoredRecord& stored, const Record& record) override {
        fmt::print("{}{{", shown_ ? ",\n" : "[\n");
        shown_ = true;
        if (stored.index) fmt::print("\"index\":{},", *stored.index);
        fmt::print("\"sequence\":{},\"record\":{}}}", record.sequence, stored.text);
    }
    void end() override { fmt::print("{}\n", shown_ ? "\n]" : "[]"); }

private:
    bool shown_ = false;
};

class JsonLinesOutput final : public RecordOutput {
public:
    void show(const StoredRecord& stored, const Record&) override { fmt::print("{}\n", stored.text); }
};

class CsvOutput final : public RecordOutput {
public:
    void show(const StoredRecord& stored, const Record& record) override {
        begin();
        std::vector<std::string> grants;
        for (const audit::RecordedGrant& grant : record.grants) grants.push_back(grant.name + " " + grant.ticket);
        fmt::print("{}", csv_line({stored.index ? std::to_string(*stored.index) : "",
                                   std::to_string(record.sequence),
                                   format_rfc3339(record.time),
                                   record.id,
                                   record.decision,
                                   record.event,
                                   record.write_class,
                                   record.username,
                                   record.assurance,
                                   record.writer,
                                   record.operation,
                                   record.namespace_name,
                                   resource_of(record),
                                   record.name,
                                   record.dry_run ? "true" : "false",
                                   joined(rules_of(record), "; "),
                                   joined(grants, "; "),
                                   record.allowance,
                                   record.owner,
                                   joined(record.compliance, "; "),
                                   record.drift_case,
                                   record.policy_set,
                                   record.cluster,
                                   record.replica,
                                   record.event.empty() ? record.error : note_of(record)}));
    }
    void end() override { begin(); }

private:
    void begin() {
        if (begun_) return;
        begun_ = true;
        fmt::print(
            "index,sequence,time,id,decision,event,class,user,assurance,writer,operation,namespace,resource,name,dryRun,rules,grants,"
            "allowance,owner,compliance,driftCase,policySet,cluster,replica,note\r\n");
    }

    bool begun_ = false;
};

}  // namespace

std::unique_ptr<RecordOutput> make_record_output(std::string_view format) {
    if (format == "json") return std::make_unique<JsonOutput>();
    if (format == "jsonl") return std::make_unique<JsonLinesOutput>();
    if (format == "csv") return std::make_unique<CsvOutput>();
    return std::make_unique<TableOutput>();
}

std::string object_of(const Record& record) {
    if (record.resource.empty()) return record.operation;
    const std::string object = fmt::format("{}/{}", resource_of(record), record.name);
    return fmt::format("{} {}", record.operation, record.namespace_name.empty() ? object : record.namespace_name + "/" + object);
}

// https://owasp.org/www-community/attacks/CSV_Injection
std::string csv_line(const std::vector<std::string>& cells) {
    constexpr std::string_view kFormula = "=+-@\t\r";
    std::string line;
    for (const std::string& cell : cells) {
        if (!line.empty() || &cell != &cells.front()) line += ',';
        std::string text = cell;
        if (!text.empty() && kFormula.find(text.front()) != std::string_view::npos) text.insert(0, "'");
        if (text.find_first_of(",\"\r\n'") == std::string::npos) {
            line += text;
            continue;
        }
        line += '"';
        for (const char c : text) line += c == '"' ? std::string("\"\"") : std::string(1, c);
        line += '"';
    }
    return line + "\r\n";
}

}  // namespace fluxgate::cli
