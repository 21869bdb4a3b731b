// A comment on a pull request: GitHub takes 65,536 characters of one, and so do the others or more. Values stand in <code> with
// every character of Markdown and HTML as a reference, so that none can mention people, break the table or show an image.

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

// Together with headline, headers and ending below 65,536 bytes, so of characters too.
constexpr std::size_t kDeniedBytesMax = 34'000;
constexpr std::size_t kProblemBytesMax = 8'000;
constexpr std::size_t kWarnedBytesMax = 10'000;
constexpr std::size_t kGuidanceBytesMax = 8'000;
constexpr std::size_t kRowsOpen = 10;  // the rest is folded away
constexpr std::size_t kCellMax = 200;

std::string code(std::string_view text) { return text.empty() ? "" : "<code>" + markdown_text(visible(text, kCellMax)) + "</code>"; }

// Words of the policy's authors: links in it stay links.
std::string prose(std::string_view text) {
    std::string out;
    each_line(text, [&](std::string_view line) {
        if (!out.empty()) out += "<br>";
        for (const char c : visible(line, 1'000)) {
            if (std::string_view("\\`*_[]<>#|~&").find(c) != std::string_view::npos) {
                out += fmt::format("&#{};", static_cast<int>(c));
            } else {
                out += c;
            }
        }
    });
    return out;
}

// Rows up to a size; counts those that had to be left out.
class Rows {
public:
    explicit Rows(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void add(std::string row) {
        if (bytes_ + row.size() > bytes_max_ || left_out_ > 0) {
            ++left_out_;
            return;
        }
        bytes_ += row.size();
        rows_.push_back(std::move(row));
    }
    bool empty() const { return rows_.empty() && left_out_ == 0; }
    std::size_t size() const { return rows_.size() + left_out_; }
    const std::vector<std::string>& rows() const { return rows_; }
    std::string left_out(std::string_view what) const {
        return left_out_ == 0 ? "" : fmt::format("\n{} more {} not shown.\n", left_out_, what);
    }

private:
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::size_t left_out_ = 0;
    std::vector<std::string> rows_;
};

constexpr std::string_view kHeader = "| Object | Where | Rule | Field | Finding |\n|---|---|---|---|---|\n";

std::string message_of(const Finding& finding) {
    if (finding.have.empty() || finding.want.empty()) return code(finding.message);
    return "have " + code(finding.have) + ", want " + code(finding.want);
}

std::string row_of(const Judged& judged, const Finding& finding) {
    return fmt::format("| {} | {} | {} | {} | {} |\n", code(to_string(judged.object)), code(to_string(finding.place)),
                       code(rule_id(finding)), code(finding.path), message_of(finding));
}

std::string folded(std::string_view title, std::string_view inside) {
    return fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n", title, inside);
}

// The first rows open, the others folded away.
std::string table_of(const Rows& rows) {
    std::string open(kHeader);
    std::string rest(kHeader);
    for (std::size_t i = 0; i < rows.rows().size(); ++i) (i < kRowsOpen ? open : rest) += rows.rows()[i];
    if (rows.rows().size() > kRowsOpen) open += folded(fmt::format("{} more", rows.rows().size() - kRowsOpen), rest);
    return open;
}

class MarkdownOutput final : public Output {
public:
    explicit MarkdownOutput(std::ostream& out) : out_(out) {}

    void judged(const Judged& judged) override {
        for (const Finding& finding : judged.findings) {
            switch (finding.level) {
                case Level::deny: denied_.add(row_of(judged, finding)); break;
                case Level::warn:
                case Level::audit: warned_.add(row_of(judged, finding)); break;
                case Level::error:
                case Level::not_judged:
                    problems_.add(
                        fmt::format("- {} {}: {}\n", to_string(finding.level), code(to_string(finding.place)), code(finding.message)));
                    break;
            }
        }
        for (const std::string& text : guidance_of(judged)) {
            if (std::find(guidance_seen_.begin(), guidance_seen_.end(), text) != guidance_seen_.end()) continue;
            if (guidance_seen_.size() < 100) guidance_seen_.push_back(text);
            guidance_.add("- " + prose(text) + "\n");
        }
    }

    void finish(const Summary& summary) override {
        std::string text = "<!-- fluxgate check -->\n### " + headline(summary) + "\n";
        if (!denied_.empty()) text += "\n" + table_of(denied_) + denied_.left_out("findings are");
        if (!guidance_.empty()) text += "\n**What to do**\n\n" + joined(guidance_) + guidance_.left_out("hints are");
        if (!problems_.empty()) {
            text += "\n**Not read or not judged**\n\n" + joined(problems_) + problems_.left_out("problems are");
        }
        if (!warned_.empty()) {
            text += folded(fmt::format("{} that would pass, with a warning or a record", warned_.size()),
                           std::string(kHeader) + joined(warned_) + warned_.left_out("findings are"));
        }
        out_ << text << "\n" << markdown_text(summary_sentence(summary)) << "\n";
    }

private:
    static std::string headline(const Summary& summary) {
        if (summary.denied > 0) return fmt::format("❌ Fluxgate would deny {} of {} objects", summary.denied, summary.objects);
        if (summary.errors > 0) return "❌ Fluxgate could not judge everything";
        if (summary.not_judged > 0) return "⚠️ Fluxgate would deny nothing of what it could judge";
        if (summary.warned > 0)
            return fmt::format("⚠️ Fluxgate would admit all {} objects, {} with warnings", summary.objects, summary.warned);
        if (summary.objects == 0) return "Fluxgate found nothing to judge";
        return fmt::format("✅ Fluxgate would admit all {} objects", summary.objects);
    }
    static std::string joined(const Rows& rows) {
        std::string text;
        for (const std::string& row : rows.rows()) text += row;
        return text;
    }

    std::ostream& out_;
    Rows denied_{kDeniedBytesMax};
    Rows problems_{kProblemBytesMax};
    Rows warned_{kWarnedBytesMax};
    Rows guidance_{kGuidanceBytesMax};
    std::vector<std::string> guidance_seen_;
};

}  // namespace

std::unique_ptr<Output> markdown_output(std::ostream& out) { return std::make_unique<MarkdownOutput>(out); }

}  // namespace fluxgate::cli
