#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/grouped.hpp"
#include "cli/audit/output/chart_svg.hpp"
#include "cli/audit/output/chart_table.hpp"
#include "cli/audit/output/html_text.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "cli/embedded.hpp"

namespace fluxgate::cli {

namespace {

using audit::Answer;
using audit::Chart;
using audit::Figure;
using audit::Report;
using audit::Standing;
using audit::Table;
using audit::Tone;

// For a Content-Security-Policy: only this very style sheet may take effect (https://www.w3.org/TR/CSP3/).
std::string csp_hash(std::string_view text) {
    const std::string hex = sha256_hex(text);
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        unsigned value = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
        bytes.push_back(static_cast<char>(value));
    }
    return "'sha256-" + base64(bytes) + "'";
}

std::string_view tone_class(Tone tone) {
    switch (tone) {
        case Tone::good: return "tone-good";
        case Tone::warning: return "tone-warning";
        case Tone::bad: return "tone-bad";
        case Tone::info:
        case Tone::neutral: break;
    }
    return "tone-neutral";
}

std::string badge(Standing standing) {
    const char* name = standing == Standing::answered ? "answered" : standing == Standing::partly ? "partly" : "not";
    return fmt::format("<span class=\"badge badge-{}\">{}</span>", name, audit::to_string(standing));
}

// A sentence of ours in which `code` stands between backticks.
std::string prose(std::string_view text) {
    std::string out;
    bool inside = false;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('`', begin), text.size());
        out += html_text(text.substr(begin, end - begin));
        begin = end + 1;
        if (end == text.size()) break;
        out += inside ? "</code>" : "<code>";
        inside = !inside;
    }
    return inside ? out + "</code>" : out;
}

// A sentence of the list at the top: "(question 7)" leads there.
std::string with_links(std::string_view text) {
    constexpr std::string_view kMark = "(question ";
    const std::size_t mark = text.rfind(kMark);
    if (mark == std::string_view::npos) return html_text(text);
    const std::size_t begin = mark + kMark.size();
    const std::size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
    if (begin == end || text.substr(end) != ").") return html_text(text);
    const std::string_view number = text.substr(begin, end - begin);
    return html_text(text.substr(0, mark)) + fmt::format("(<a href=\"#q{0}\">question {0}</a>).", number);
}

// As audit::spoken writes it: 2026-11-20 00:00:00Z. Broken between day and time only.
bool is_time(const std::string& cell) { return cell.size() == 20 && cell[10] == ' ' && cell[13] == ':' && cell.back() == 'Z'; }

class Page {
public:
    Page(const Report& report, std::ostream& out) : report_(report), out_(out) {}

    void write() {
        head();
        out_ << "<body>\n<a class=\"skip\" href=\"#contents\">To the contents</a>\n";
        summary();
        contents();
        controls();
        out_ << "<main>\n<h2 id=\"answers\">Questions and answers</h2>\n";
        for (const Answer& answer : report_.answers) write_answer(answer);
        out_ << "</main>\n";
        how_to_check();
        out_ << "</body>\n</html>\n";
    }

private:
    std::string clusters() const {
        std::string names;
        for (const std::string& name : report_.clusters) names += (names.empty() ? "" : ", ") + name;
        return names.empty() ? "unnamed cluster" : names;
    }
    std::string period() const { return audit::spoken(report_.from) + " to " + audit::spoken(report_.to); }

    void head() {
        const std::string_view style = embedded::report_style().front().text;
        // The page header on paper. Only digits of times come into it.
        const std::string print_style = fmt::format(
            "@page {{ @top-left {{ content: \"Fluxgate evidence report\"; font: 8pt sans-serif; color: #55606f; }} @top-right {{ content: "
            "\"{}\"; "
            "font: 8pt sans-serif; color: #55606f; }} }}",
            period());
        out_ << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             << "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src " << csp_hash(style) << " "
             << csp_hash(print_style) << "; base-uri 'none'; form-action 'none'\">\n"
             << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
                "content=\"no-referrer\">\n"
             << "<meta name=\"generator\" content=\"fluxgate " FLUXGATE_VERSION "\">\n<title>Evidence report, " << html_text(clusters())
             << ", " << html_text(period()) << "</title>\n<style>" << style << "</style>\n<style>" << print_style << "</style>\n</head>\n";
    }

    void summary() {
        out_ << "<header class=\"summary\">\n<p class=\"kicker\">Fluxgate evidence report</p>\n<h1>Changes to production outside Git</h1>\n"
             << "<p class=\"period\">Cluster <bdi>" << html_text(clusters()) << "</bdi> · " << html_text(period()) << " · made "
             << html_text(audit::spoken(report_.made)) << "</p>\n<p class=\"headline\">" << html_text(report_.headline) << "</p>\n";
        figures(report_.figures);
        out_ << "<section class=\"attention\" aria-labelledby=\"attention\">\n<h2 id=\"attention\">Look at this first</h2>\n";
        if (report_.attention.empty()) {
            out_ << "<p>Nothing in the log of this period stands out.</p>\n";
        } else {
            out_ << "<ul>\n";
            for (const std::string& text : report_.attention) out_ << "<li>" << with_links(text) << "</li>\n";
            out_ << "</ul>\n";
        }
        out_ << "</section>\n";
        basis();
        out_ << "</header>\n";
    }

    void basis() {
        const audit::ReportBasis& basis = report_.basis;
        out_ << "<section class=\"basis\" aria-labelledby=\"basis\">\n<h2 id=\"basis\">What this report rests on</h2>\n";
        if (basis.origin.empty()) {
            out_ << "<p>No signed checkpoint: the records were read as they are, and nothing here can be proven.</p>\n</section>\n";
            return;
        }
        const auto row = [&](std::string_view name, const std::string& value) {
            out_ << "<dt>" << name << "</dt><dd><bdi>" << html_text(value) << "</bdi></dd>\n";
        };
        out_ << "<dl>\n";
        row("checkpoint of", basis.origin);
        row("over", grouped(basis.size) + " records");
        row("root", basis.root);
        row("key id", basis.key_id);
        row("verified", !basis.verified    ? "no"
                        : basis.errors > 0 ? "yes, and errors were found (" + grouped(basis.errors) + "): see question 13"
                        : basis.key_given  ? "yes, all records, with the key that was given"
                                           : "yes, all records, with the key that lies beside the log");
        out_ << "</dl>\n</section>\n";
    }

    void contents() {
        out_ << "<nav class=\"contents\" aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<p><a "
                "href=\"#controls\">Controls and their "
                "evidence</a> · <a href=\"#check\">How to check this report</a></p>\n<ol>\n";
        for (const Answer& answer : report_.answers) {
            out_ << fmt::format("<li><span class=\"number\">{0}</span><a href=\"#q{0}\">{1}</a>{2}</li>\n", answer.number,
                                html_text(answer.title), badge(answer.standing));
        }
        out_ << "</ol>\n</nav>\n";
    }

    void controls() {
        out_ << "<section class=\"controls\" aria-labelledby=\"controls\">\n<h2 id=\"controls\">Controls and their evidence</h2>\n"
                "<p>Which answers are evidence for which control. What a control asks for is put in our words; the standard's text counts, "
                "and whether a "
                "control is met is the auditor's judgement.</p>\n";
        std::string standard;
        for (const audit::Control& control : report_.controls) {
            if (control.standard != standard) {
                if (!standard.empty()) out_ << "</tbody></table></div>\n";
                standard = control.standard;
                out_ << "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" << html_text(standard)
                     << "\"><table class=\"map\"><caption>" << html_text(standard)
                     << "</caption><thead><tr><th scope=\"col\">control</th><th scope=\"col\">asks that</th><th "
                        "scope=\"col\">evidence</th></tr></thead><tbody>\n";
            }
            out_ << "<tr><th scope=\"row\">" << html_text(control.id) << "</th><td>" << html_text(control.asks) << "</td><td><ul>";
            for (const unsigned number : control.questions) {
                const Answer& answer = report_.answers.at(number - 1);
                out_ << fmt::format("<li><a href=\"#q{0}\">{0} {1}</a> {2}</li>", number, html_text(answer.title), badge(answer.standing));
            }
            out_ << "</ul></td></tr>\n";
        }
        if (!standard.empty()) out_ << "</tbody></table></div>\n";
        for (const Table& tags : report_.tags) table(tags);
        out_ << "</section>\n";
    }

    void write_answer(const Answer& answer) {
        out_ << fmt::format("<section class=\"answer\" aria-labelledby=\"q{0}\">\n<header><h3 id=\"q{0}\">{0}. {1}</h3>{2}</header>\n",
                            answer.number, html_text(answer.title), badge(answer.standing));
        out_ << "<p class=\"question\">" << html_text(answer.question) << "</p>\n<p class=\"says\">" << prose(answer.sentence) << "</p>\n";
        figures(answer.figures);
        for (const Chart& one : answer.charts) chart(one);
        for (const Table& one : answer.tables) table(one);
        if (!answer.not_recorded.empty()) {
            out_ << "<div class=\"missing\"><h4>Not recorded here</h4>\n";
            for (const audit::NotRecorded& missing : answer.not_recorded) {
                out_ << "<p><strong>" << html_text(missing.what) << ":</strong> " << prose(missing.why)
                     << ". Where to look: " << prose(missing.remedy) << ".</p>\n";
            }
            out_ << "</div>\n";
        }
        rests_on(answer.citations);
        out_ << "</section>\n";
    }

    void rests_on(const audit::Citations& citations) {
        out_ << "<p class=\"rests\">";
        if (citations.count > 0) {
            out_ << "Rests on records ";
            for (std::size_t i = 0; i < citations.records.size(); ++i) out_ << (i == 0 ? "" : ", ") << html_text(citations.records[i]);
            if (citations.count > citations.records.size())
                out_ << " and " << grouped(citations.count - citations.records.size()) << " more";
        } else {
            out_ << "Rests on all " << grouped(report_.records) << " records of the period";
        }
        if (!report_.basis.origin.empty()) {
            out_ << ", under the checkpoint of <bdi>" << html_text(report_.basis.origin) << "</bdi> over " << grouped(report_.basis.size)
                 << " records, root <bdi>" << html_text(report_.basis.root.substr(0, 12)) << "…</bdi>";
        }
        out_ << ".</p>\n";
    }

    void figures(const std::vector<Figure>& list) {
        if (list.empty()) return;
        out_ << "<dl class=\"figures\">\n";
        for (const Figure& figure : list) {
            out_ << "<div class=\"" << tone_class(figure.tone) << "\"><dt>" << html_text(figure.label) << "</dt><dd><bdi>"
                 << html_text(figure.value) << "</bdi></dd></div>\n";
        }
        out_ << "</dl>\n";
    }

    void chart(const Chart& chart) {
        out_ << "<figure>\n<figcaption>" << html_text(chart.title) << "<p>" << html_text(chart.says)
             << "</p></figcaption>\n<ul class=\"legend\">";
        for (const Chart::Series& series : chart.series)
            out_ << "<li><i class=\"" << fill_class(series.tone) << "\"></i>" << html_text(series.name) << "</li>";
        out_ << "</ul>\n" << chart_svg(chart, report_.from, report_.to);
        if (chart.more > 0) out_ << "<p class=\"note\">+" << grouped(chart.more) << " more are not drawn.</p>";
        out_ << "\n<details><summary>The numbers behind this chart</summary>\n";
        table(chart_table(chart));
        out_ << "</details>\n</figure>\n";
    }

    void table(const Table& table) {
        out_ << "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" << html_text(table.title) << "\">\n<table"
             << (table.columns.size() > 4 ? " class=\"wide\"" : "") << "><caption>" << html_text(table.title) << "</caption>\n<thead><tr>";
        for (const audit::Column& column : table.columns)
            out_ << "<th scope=\"col\"" << (column.number ? " class=\"amount\"" : "") << ">" << html_text(column.name) << "</th>";
        out_ << "</tr></thead>\n<tbody>\n";
        if (table.rows.empty()) out_ << "<tr><td colspan=\"" << table.columns.size() << "\">none</td></tr>\n";
        for (const auto& row : table.rows) {
            out_ << "<tr>";
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string cell = "<bdi>" + (is_time(row[i]) ? html_text(row[i]) : html_breakable(row[i])) + "</bdi>";
                const bool amount = i < table.columns.size() && table.columns[i].number;
                if (i == 0) {
                    out_ << "<th scope=\"row\"" << (amount ? " class=\"amount\"" : "") << ">" << cell << "</th>";
                } else {
                    out_ << (amount ? "<td class=\"amount\">" : "<td>") << cell << "</td>";
                }
            }
            out_ << "</tr>\n";
        }
        out_ << "</tbody></table>\n";
        if (table.more > 0) {
            out_ << "<p class=\"note\">+" << grouped(table.more) << " more";
            if (!table.command.empty()) out_ << ": <code>" << html_text(table.command) << "</code>";
            out_ << "</p>\n";
        }
        if (!table.note.empty()) out_ << "<p class=\"note\">" << html_text(table.note) << "</p>\n";
        out_ << "</div>\n";
    }

    void how_to_check() {
        out_ << "<footer aria-labelledby=\"check\">\n<h2 id=\"check\">How to check this report</h2>\n"
                "<p>This page needs no network and runs no program. Record numbers are indexes in the log. You need the log's folder and, "
                "from somebody you "
                "trust, its verifier key; you do not have to trust the machine the log was kept on.</p>\n<ul>\n"
                "<li><code>fluxgate audit verify --audit DIR --key VKEY</code> recomputes the root over all records and compares it with "
                "the signed checkpoint.</li>\n"
                "<li><code>fluxgate audit prove --audit DIR INDEX</code> writes a proof for one record that stock tools for the format "
                "check too.</li>\n"
                "<li><code>fluxgate audit query --audit DIR</code> shows the records behind a number.</li>\n"
                "<li>The log is in the C2SP tlog-tiles format, so independent verifiers read it as it is.</li>\n</ul>\n"
                "<p>A name in this report is what a request carried. Characters that would not be seen are written out, such as "
                "\\u202e.</p>\n</footer>\n";
    }

    const Report& report_;
    std::ostream& out_;
};

}  // namespace

void write_report_html(const Report& report, std::ostream& out) { Page(report, out).write(); }

}  // namespace fluxgate::cli
