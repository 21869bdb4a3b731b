#include <nlohmann/json.hpp>

#include "cli/audit/output/chart_table.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "cli/output/result_json.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

ordered_json json_of(const std::vector<audit::Figure>& figures) {
    ordered_json list = ordered_json::array();
    for (const audit::Figure& figure : figures) list.push_back({{"label", figure.label}, {"value", figure.value}});
    return list;
}

ordered_json json_of(const audit::Table& table) {
    ordered_json columns = ordered_json::array();
    for (const audit::Column& column : table.columns) columns.push_back(column.name);
    ordered_json json{{"title", table.title}, {"columns", std::move(columns)}, {"rows", table.rows}, {"more", table.more}};
    if (!table.command.empty()) json["command"] = table.command;
    if (!table.note.empty()) json["note"] = table.note;
    return json;
}

ordered_json json_of(const audit::Citations& citations) { return {{"records", citations.records}, {"count", citations.count}}; }

ordered_json json_of(const audit::Answer& answer) {
    ordered_json json{{"number", answer.number},
                      {"title", answer.title},
                      {"question", answer.question},
                      {"standing", audit::to_string(answer.standing)},
                      {"answer", answer.sentence},
                      {"figures", json_of(answer.figures)},
                      {"tables", ordered_json::array()},
                      {"charts", ordered_json::array()},
                      {"notRecorded", ordered_json::array()},
                      {"restsOn", json_of(answer.citations)}};
    for (const audit::Table& table : answer.tables) json["tables"].push_back(json_of(table));
    for (const audit::Chart& chart : answer.charts) json["charts"].push_back(json_of(chart_table(chart)));
    for (const audit::NotRecorded& missing : answer.not_recorded)
        json["notRecorded"].push_back({{"what", missing.what}, {"why", missing.why}, {"whereToLook", missing.remedy}});
    return json;
}

ordered_json json_of(const audit::ReportBasis& basis) {
    if (basis.origin.empty()) return nullptr;
    ordered_json json{
        {"origin", basis.origin}, {"size", basis.size},          {"root", basis.root},         {"keyId", basis.key_id},
        {"key", basis.key},       {"keyGiven", basis.key_given}, {"verified", basis.verified}, {"minimumIndex", basis.minimum_index}};
    if (basis.verified) {
        json["errors"] = basis.errors;
        json["asSigned"] = basis.as_signed;
        json["findings"] = basis.findings;
    }
    return json;
}

}  // namespace

void write_report_json(const audit::Report& report, std::ostream& out) {
    ordered_json json{{"schema", "fluxgate.dev/evidence-report/v1"},
                      {"from", format_rfc3339(report.from)},
                      {"to", format_rfc3339(report.to)},
                      {"made", format_rfc3339(report.made)},
                      {"clusters", report.clusters},
                      {"checkpoint", json_of(report.basis)},
                      {"records", report.records},
                      {"headline", report.headline},
                      {"figures", json_of(report.figures)},
                      {"attention", report.attention},
                      {"answers", ordered_json::array()},
                      {"controls", ordered_json::array()}};
    for (const audit::Answer& answer : report.answers) json["answers"].push_back(json_of(answer));
    for (const audit::Control& control : report.controls) {
        json["controls"].push_back(
            {{"standard", control.standard}, {"control", control.id}, {"asksThat", control.asks}, {"questions", control.questions}});
    }
    if (!report.tags.empty()) {
        json["tags"] = ordered_json::array();
        for (const audit::Table& table : report.tags) json["tags"].push_back(json_of(table));
    }
    out << dump(json, 2) << '\n';
}

}  // namespace fluxgate::cli
