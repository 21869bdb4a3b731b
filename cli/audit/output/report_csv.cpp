#include <fmt/format.h>

#include "cli/audit/output/chart_table.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

// RFC 4180. A cell that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets write text themselves.
std::string cell(std::string_view text) {
    std::string safe = visible(text);
    if (!safe.empty() && std::string_view("=+-@\t\r").find(safe.front()) != std::string_view::npos) safe.insert(safe.begin(), '\'');
    if (safe.find_first_of("\",\n\r") == std::string::npos) return safe;
    std::string quoted = "\"";
    for (const char c : safe) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

void write_row(std::ostream& out, std::string_view question, std::string_view table, std::size_t row, std::string_view column,
               std::string_view value) {
    out << cell(question) << ',' << cell(table) << ',' << row << ',' << cell(column) << ',' << cell(value) << "\r\n";
}

void write_table(std::ostream& out, const std::string& question, const audit::Table& table) {
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        for (std::size_t i = 0; i < table.rows[row].size() && i < table.columns.size(); ++i)
            write_row(out, question, table.title, row + 1, table.columns[i].name, table.rows[row][i]);
    }
    if (table.more > 0) write_row(out, question, table.title, 0, "rows left out", fmt::format("{}", table.more));
}

void write_figures(std::ostream& out, const std::string& question, const std::vector<audit::Figure>& figures) {
    for (std::size_t i = 0; i < figures.size(); ++i) write_row(out, question, "figures", i + 1, figures[i].label, figures[i].value);
}

}  // namespace

void write_report_csv(const audit::Report& report, std::ostream& out) {
    out << "question,table,row,column,value\r\n";
    write_row(out, "", "report", 1, "from", format_rfc3339(report.from));
    write_row(out, "", "report", 1, "to", format_rfc3339(report.to));
    write_row(out, "", "report", 1, "records", fmt::format("{}", report.records));
    write_row(out, "", "report", 1, "headline", report.headline);
    write_row(out, "", "checkpoint", 1, "origin", report.basis.origin);
    write_row(out, "", "checkpoint", 1, "size", fmt::format("{}", report.basis.size));
    write_row(out, "", "checkpoint", 1, "root", report.basis.root);
    write_row(out, "", "checkpoint", 1, "key id", report.basis.key_id);
    write_figures(out, "", report.figures);
    for (const audit::Answer& answer : report.answers) {
        const std::string question = fmt::format("{}", answer.number);
        write_row(out, question, "answer", 1, "question", answer.question);
        write_row(out, question, "answer", 1, "standing", audit::to_string(answer.standing));
        write_row(out, question, "answer", 1, "answer", answer.sentence);
        write_figures(out, question, answer.figures);
        for (const audit::Table& table : answer.tables) write_table(out, question, table);
        for (const audit::Chart& chart : answer.charts) write_table(out, question, chart_table(chart));
        for (std::size_t i = 0; i < answer.not_recorded.size(); ++i) {
            const audit::NotRecorded& missing = answer.not_recorded[i];
            write_row(out, question, "not recorded here", i + 1, "what", missing.what);
            write_row(out, question, "not recorded here", i + 1, "why", missing.why);
            write_row(out, question, "not recorded here", i + 1, "where to look", missing.remedy);
        }
        for (std::size_t i = 0; i < answer.citations.records.size(); ++i)
            write_row(out, question, "rests on", i + 1, "record", answer.citations.records[i]);
    }
    std::size_t row = 0;
    for (const audit::Control& control : report.controls) {
        std::string questions;
        for (const unsigned number : control.questions) questions += (questions.empty() ? "" : " ") + fmt::format("{}", number);
        ++row;
        write_row(out, "", "controls", row, "standard", control.standard);
        write_row(out, "", "controls", row, "control", control.id);
        write_row(out, "", "controls", row, "asks that", control.asks);
        write_row(out, "", "controls", row, "questions", questions);
    }
}

}  // namespace fluxgate::cli
