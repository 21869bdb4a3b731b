#include <fmt/format.h>

#include "base/grouped.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

std::string safe(std::string_view text) {
    constexpr std::size_t kCharactersMax = 300;
    return markdown_text(visible(text, kCharactersMax));
}

void write_table(const audit::Table& table, std::ostream& out) {
    if (table.rows.empty()) return;
    out << "\n**" << safe(table.title) << "**\n\n|";
    for (const audit::Column& column : table.columns) out << ' ' << safe(column.name) << " |";
    out << "\n|";
    for (const audit::Column& column : table.columns) out << (column.number ? "---:|" : "---|");
    out << '\n';
    for (const auto& row : table.rows) {
        out << '|';
        for (const std::string& cell : row) out << ' ' << safe(cell) << " |";
        out << '\n';
    }
    if (table.more > 0)
        out << "\n+" << grouped(table.more) << " more" << (table.command.empty() ? "" : ": ") << safe(table.command) << "\n";
    if (!table.note.empty()) out << "\n" << safe(table.note) << "\n";
}

void write_figures(const std::vector<audit::Figure>& figures, std::ostream& out) {
    if (figures.empty()) return;
    out << '\n';
    for (const audit::Figure& figure : figures) out << "- " << safe(figure.label) << ": **" << safe(figure.value) << "**\n";
}

void write_answer(const audit::Answer& answer, std::ostream& out) {
    out << "\n## " << answer.number << ". " << safe(answer.title) << " (" << audit::to_string(answer.standing) << ")\n\n_"
        << safe(answer.question) << "_\n\n"
        << safe(answer.sentence) << "\n";
    write_figures(answer.figures, out);
    for (const audit::Table& table : answer.tables) write_table(table, out);
    for (const audit::NotRecorded& missing : answer.not_recorded) {
        out << "\nNot recorded here: **" << safe(missing.what) << "**: " << safe(missing.why) << ". Where to look: " << safe(missing.remedy)
            << ".\n";
    }
    if (answer.citations.count == 0) return;
    out << "\nRests on records";
    for (std::size_t i = 0; i < answer.citations.records.size(); ++i) out << (i == 0 ? " " : ", ") << safe(answer.citations.records[i]);
    if (answer.citations.count > answer.citations.records.size())
        out << " and " << grouped(answer.citations.count - answer.citations.records.size()) << " more";
    out << ".\n";
}

}  // namespace

void write_report_markdown(const audit::Report& report, std::ostream& out) {
    out << "# Changes to production outside Git\n\nFluxgate evidence report, " << audit::spoken(report.from) << " to "
        << audit::spoken(report.to) << "\n\n**" << safe(report.headline) << "**\n";
    write_figures(report.figures, out);
    if (!report.attention.empty()) out << "\n## Look at this first\n\n";
    for (const std::string& text : report.attention) out << "- " << safe(text) << "\n";
    out << "\n## What this report rests on\n\n";
    if (report.basis.origin.empty()) {
        out << "No signed checkpoint.\n";
    } else {
        out << "Checkpoint of " << safe(report.basis.origin) << " over " << grouped(report.basis.size) << " records, root "
            << safe(report.basis.root) << ", key id " << safe(report.basis.key_id) << ".\n";
    }
    out << "\n## Controls and their evidence\n\nWhat a control asks for is put in our words; whether it is met is the auditor's "
           "judgement.\n\n"
           "| standard | control | asks that | evidence |\n|---|---|---|---|\n";
    for (const audit::Control& control : report.controls) {
        std::string evidence;
        for (const unsigned number : control.questions) {
            const audit::Answer& answer = report.answers.at(number - 1);
            evidence +=
                fmt::format("{}{} {} ({})", evidence.empty() ? "" : ", ", number, safe(answer.title), audit::to_string(answer.standing));
        }
        out << "| " << safe(control.standard) << " | " << safe(control.id) << " | " << safe(control.asks) << " | " << evidence << " |\n";
    }
    for (const audit::Table& table : report.tags) write_table(table, out);
    for (const audit::Answer& answer : report.answers) write_answer(answer, out);
}

}  // namespace fluxgate::cli
