#include "cli/audit/record_rows.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "audit/record_reading.hpp"
#include "base/grouped.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using audit::Record;
using audit::StoredRecord;
using nlohmann::ordered_json;

// Columns are padded to these; what is longer moves its line's rest to the right, up to a bound, because its end tells it apart.
constexpr std::size_t kUserWidth = 38;
constexpr std::size_t kUserMax = 64;
constexpr std::size_t kObjectWidth = 50;
constexpr std::size_t kObjectMax = 120;
constexpr std::size_t kNoteMax = 200;

std::string joined(const std::vector<std::string>& parts, std::string_view between) { return fmt::format("{}", fmt::join(parts, between)); }

std::vector<std::string> rules_of(const Record& record) {
    std::vector<std::string> rules;
    for (const audit::RecordedViolation& violation : record.violations) {
        std::string rule = violation.policy + "/" + violation.rule;
        if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(std::move(rule));
    }
    return rules;
}

// All that an event says.
std::string everything_of(const Record& event) {
    std::vector<std::string> notes = event.details;
    for (const auto& [name, value] : event.facts) notes.push_back(name + " " + value);
    for (const auto& [name, value] : event.counters) notes.push_back(fmt::format("{} {}", name, value));
    return joined(notes, ", ");
}

// What a reader looks for in a minute's numbers: how much, and whether anything is wrong.
std::string note_of_heartbeat(const Record& event) {
    const auto counter = [&](std::string_view name) { return audit::counter_of(event, name); };
    std::vector<std::string> notes{
        grouped(counter("seen")) + " seen",
        grouped(counter("routineDenied") + counter("exceptionalDenied") + counter("unguardedDenied")) + " denied",
        grouped(counter("recorded")) + " recorded",
    };
    for (const std::string_view name : {"repeated", "errors", "unrecorded"}) {
        if (const std::uint64_t count = counter(name); count > 0) notes.push_back(fmt::format("{} {}", grouped(count), name));
    }
    return joined(notes, ", ");
}

std::string note_of_event(const Record& event) {
    if (event.event == "heartbeat") return note_of_heartbeat(event);
    if (audit::is_repeat(event)) {
        std::vector<std::string> notes = rules_of(event);
        notes.insert(notes.begin(), grouped(audit::requests_of(event), "time"));
        return joined(notes, ", ");
    }
    return everything_of(event);
}

std::string note_of_request(const Record& record) {
    std::vector<std::string> notes = rules_of(record);
    if (record.decision == "allowed" && !record.writer.empty()) notes.push_back("writer " + record.writer);
    // Who bears the name of an account, and yet is no writer: how little the name was proven is often why.
    const bool looks_like_a_writer = record.writer.empty() && record.username.starts_with("system:serviceaccount:");
    if (record.assurance == "impersonated" || (looks_like_a_writer && !record.assurance.empty()))
        notes.push_back("proof " + record.assurance);
    for (const audit::RecordedGrant& grant : record.grants) notes.push_back("grant " + grant.name);
    for (const std::string& exception : record.exceptions) notes.push_back("exception " + exception);
    if (!record.allowance.empty()) notes.push_back("allowance " + record.allowance);
    if (record.learned) notes.emplace_back("the lock learns");
    if (!record.error.empty()) notes.push_back("error: " + record.error);
    if (record.dry_run) notes.emplace_back("dry run");
    return joined(notes, ", ");
}

std::string what_of(const Record& record) {
    std::string what = record.event;
    for (const std::string& part : {record.operation, audit::object_of(record)}) {
        if (!part.empty()) what += (what.empty() ? "" : " ") + part;
    }
    return what;
}

std::string padded(std::string text, std::size_t width) {
    const std::size_t seen = display_width(text);
    if (seen < width) text.append(width - seen, ' ');
    return text;
}

std::string table_header(Style style) {
    return style.paint(Colour::bold, fmt::format("{:>8}  {:<20}  {:<7}  {}  {}  {}", "INDEX", "TIME", "VERDICT", padded("WHO", kUserWidth),
                                                 padded("WHAT", kObjectWidth), "WHY"));
}

class TableOutput final : public RecordOutput {
public:
    void show(const StoredRecord& stored, const Record& record) override {
        if (!shown_) fmt::print("{}\n", table_header(style_));
        shown_ = true;
        fmt::print("{}\n", table_row(stored, record, style_));
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
                                   audit::resource_of(record),
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
                                   record.event.empty() ? record.error : everything_of(record)}));
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

std::string table_row(const StoredRecord& stored, const Record& record, Style style) {
    const std::string_view verdict = record.event.empty() ? std::string_view(record.decision) : "event";
    const Colour colour = verdict == "denied" ? Colour::red : verdict == "allowed" ? Colour::green : Colour::grey;
    const std::string who = record.username.empty() ? record.replica : short_username(record.username);
    return fmt::format("{:>8}  {}Z  {}  {}  {}  {}", stored.index ? std::to_string(*stored.index) : "-",
                       format_rfc3339(record.time).substr(0, 19), style.paint(colour, padded(std::string(verdict), 7)),
                       padded(visible(who, kUserMax), kUserWidth), padded(visible(what_of(record), kObjectMax), kObjectWidth),
                       visible(record.event.empty() ? note_of_request(record) : note_of_event(record), kNoteMax));
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
