#include "cli/audit/reconcile_output.hpp"

#include <array>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/grouped.hpp"
#include "cli/audit/record_rows.hpp"
#include "cli/messages.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/style.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using audit::FindingKind;
using audit::ReconcileFinding;
using audit::Reconciliation;
using nlohmann::ordered_json;

constexpr std::array kKinds{FindingKind::bypassed,   FindingKind::failed_open, FindingKind::contradicted, FindingKind::missing,
                            FindingKind::unrecorded, FindingKind::unknown,     FindingKind::duplicate,    FindingKind::unproven};
constexpr std::size_t kRowsMax = 1'000;
constexpr std::size_t kCellCharactersMax = 80;

std::string user_of(const ReconcileFinding& finding) {
    return finding.impersonated_user.empty() ? finding.user : fmt::format("{} as {}", finding.user, finding.impersonated_user);
}

std::string object_of(const ReconcileFinding& finding) {
    const std::string name = finding.name.empty() ? "(no name)" : finding.name;
    return fmt::format("{} {}", finding.resource, finding.namespace_name.empty() ? name : finding.namespace_name + "/" + name);
}

std::string text_of(const audit::Span& span) { return fmt::format("{} to {}", format_rfc3339(span.begin), format_rfc3339(span.end)); }

Colour colour_of(FindingKind kind) {
    return kind == FindingKind::unproven || kind == FindingKind::duplicate ? Colour::yellow : Colour::red;
}

// --- table ----------------------------------------------------------------------------------------------------------------------------

class TableOutput final : public ReconcileOutput {
public:
    TableOutput(std::ostream& out, Style style) : out_(out), style_(style) {}

    void found(const ReconcileFinding& finding) override {
        if (rows_.size() == kRowsMax) {
            ++more_;
            return;
        }
        const auto cell = [](const std::string& text) { return Cell{visible(text, kCellCharactersMax)}; };
        rows_.push_back({{std::string(to_string(finding.kind)), colour_of(finding.kind)},
                         cell(format_rfc3339(finding.time)),
                         cell(user_of(finding)),
                         cell(finding.verb),
                         cell(object_of(finding)),
                         cell(finding.code == 0 ? "-" : std::to_string(finding.code)),
                         cell(finding.audit_id.empty() ? "record " + finding.record_id : finding.audit_id),
                         cell(finding.where)});
    }

    void finish(const Reconciliation& result, const ReconcileScope& scope) override {
        if (!rows_.empty()) out_ << render_table({"FINDING", "TIME", "USER", "VERB", "OBJECT", "CODE", "AUDIT ID", "WHERE"}, rows_, style_);
        if (more_ > 0) out_ << fmt::format("+{} more; -o json or -o csv has all\n", grouped(more_));
        if (!rows_.empty()) out_ << '\n';
        for (const FindingKind kind : kKinds) {
            if (result.count(kind) > 0) out_ << fmt::format("{}: {}.\n", to_string(kind), meaning_of(kind));
        }
        out_ << summary_of(result) << '\n';
        notes(result, scope);
    }

private:
    void notes(const Reconciliation& result, const ReconcileScope& scope) {
        out_ << fmt::format("Guarded is {}.\n", visible(scope.guarded));
        out_ << fmt::format("{} of the API server, {} of Fluxgate, of which {} lie where the files of the API server cover their time",
                            grouped(result.events, "event"), grouped(result.records, "record"), grouped(result.records_compared));
        for (std::size_t i = 0; i < result.covered.size(); ++i) out_ << (i == 0 ? ": " : "; ") << text_of(result.covered[i]);
        out_ << ".\n";
        if (result.asked_again > 0)
            out_ << fmt::format("{} of a request that the API server asked about more than once.\n", grouped(result.asked_again, "record"));
        if (result.repeated > 0)
            out_ << fmt::format("{} stood in more than one place and count once.\n", grouped(result.repeated, "event"));
        if (result.mutations_failed_open > 0)
            out_ << fmt::format("{} without the defaults of /mutate, which did not answer.\n",
                                grouped(result.mutations_failed_open, "write"));
        for (const auto& [name, count] : result.webhooks) out_ << fmt::format("Asked: {} ({}).\n", visible(name), grouped(count, "write"));
        for (const auto& [name, count] : result.other_failed_open)
            out_ << fmt::format("Failed open, and not ours (--webhook): {} ({}).\n", visible(name), grouped(count, "write"));
        for (const ReconcileScope::File& file : scope.files) {
            if (file.read.cut_at_the_end) out_ << fmt::format("{} ends within an event.\n", visible(file.name));
        }
    }

    std::ostream& out_;
    Style style_;
    std::vector<std::vector<Cell>> rows_;
    std::uint64_t more_ = 0;
};

// --- JSON and CSV ---------------------------------------------------------------------------------------------------------------------

ordered_json json_of(const ReconcileFinding& finding) {
    ordered_json json{{"finding", to_string(finding.kind)}, {"time", format_rfc3339(finding.time)}, {"user", finding.user}};
    const auto put = [&](const char* key, const std::string& value) {
        if (!value.empty()) json[key] = value;
    };
    put("impersonatedUser", finding.impersonated_user);
    put("verb", finding.verb);
    put("namespace", finding.namespace_name);
    put("resource", finding.resource);
    put("name", finding.name);
    if (finding.code != 0) json["code"] = finding.code;
    put("auditID", finding.audit_id);
    put("recordId", finding.record_id);
    put("where", finding.where);
    put("remark", finding.remark);
    return json;
}

ordered_json json_of(const Reconciliation& result, const ReconcileScope& scope) {
    ordered_json json{{"guarded", scope.guarded},
                      {"writes", result.writes},
                      {"judged", result.judged},
                      {"denied", result.denied},
                      {"refusedElsewhere", result.refused_elsewhere},
                      {"dryRuns", result.dry_runs}};
    for (const FindingKind kind : kKinds) json["findings"][std::string(to_string(kind))] = result.count(kind);
    json["events"] = result.events;
    json["repeatedEvents"] = result.repeated;
    json["records"] = result.records;
    json["recordsCompared"] = result.records_compared;
    json["recordsAskedAgain"] = result.asked_again;
    json["mutationsFailedOpen"] = result.mutations_failed_open;
    json["covered"] = ordered_json::array();
    for (const audit::Span& span : result.covered)
        json["covered"].push_back({{"from", format_rfc3339(span.begin)}, {"to", format_rfc3339(span.end)}});
    json["webhooks"] = result.webhooks;
    json["otherFailedOpen"] = result.other_failed_open;
    for (const ReconcileScope::File& file : scope.files)
        json["files"].push_back({{"name", file.name},
                                 {"events", file.read.events},
                                 {"unreadable", file.read.unreadable},
                                 {"cutAtTheEnd", file.read.cut_at_the_end}});
    return json;
}

class JsonOutput final : public ReconcileOutput {
public:
    explicit JsonOutput(std::ostream& out) : out_(out) { out_ << "{\"findings\":["; }

    void found(const ReconcileFinding& finding) override {
        out_ << (first_ ? "\n" : ",\n") << dump(json_of(finding));
        first_ = false;
    }
    void finish(const Reconciliation& result, const ReconcileScope& scope) override {
        out_ << (first_ ? "" : "\n") << "],\"summary\":" << dump(json_of(result, scope)) << "}\n";
    }

private:
    std::ostream& out_;
    bool first_ = true;
};

class CsvOutput final : public ReconcileOutput {
public:
    explicit CsvOutput(std::ostream& out) : out_(out) {
        out_ << csv_line({"finding", "time", "user", "impersonatedUser", "verb", "namespace", "resource", "name", "code", "auditID",
                          "recordId", "where", "remark"});
    }

    void found(const ReconcileFinding& finding) override {
        out_ << csv_line({std::string(to_string(finding.kind)), format_rfc3339(finding.time), finding.user, finding.impersonated_user,
                          finding.verb, finding.namespace_name, finding.resource, finding.name,
                          finding.code == 0 ? "" : std::to_string(finding.code), finding.audit_id, finding.record_id, finding.where,
                          finding.remark});
    }
    void finish(const Reconciliation& result, const ReconcileScope&) override {
        print_problem("fluxgate audit reconcile: " + summary_of(result));
    }

private:
    std::ostream& out_;
};

}  // namespace

std::unique_ptr<ReconcileOutput> make_reconcile_output(std::string_view format, std::ostream& out) {
    if (format == "json") return std::make_unique<JsonOutput>(out);
    if (format == "csv") return std::make_unique<CsvOutput>(out);
    return std::make_unique<TableOutput>(out, Style::of(stdout));
}

std::string summary_of(const Reconciliation& result) {
    std::string text = grouped(result.writes, "write") + ":";
    std::string_view between = " ";
    const auto add = [&](std::uint64_t number, std::string_view what) {
        if (number == 0) return;
        text += fmt::format("{}{} {}", between, grouped(number), what);
        between = ", ";
    };
    add(result.judged + result.denied, result.denied == 0 ? "judged" : fmt::format("judged ({} of them denied)", grouped(result.denied)));
    add(result.count(FindingKind::bypassed), "bypassed");
    add(result.count(FindingKind::failed_open), "failed open");
    add(result.count(FindingKind::contradicted), "denied and done");
    add(result.count(FindingKind::unproven), "unproven");
    add(result.refused_elsewhere, "refused without Fluxgate");
    add(result.dry_runs, "dry runs");
    if (result.writes == 0) text += " none";
    between = "; records: ";
    add(result.count(FindingKind::missing), "missing");
    add(result.count(FindingKind::unrecorded), "could not be written");
    add(result.count(FindingKind::unknown), "unknown to the API server");
    add(result.count(FindingKind::duplicate), "with an id that another has");
    return text;
}

}  // namespace fluxgate::cli
