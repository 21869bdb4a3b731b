#include <ostream>

#include <fmt/format.h>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

// Enough to recognise a value; `-o json` has it whole.
constexpr std::size_t kNameMax = 300;
constexpr std::size_t kTextMax = 600;

Colour colour_of(Level level) {
    switch (level) {
        case Level::error:
        case Level::deny: return Colour::red;
        case Level::warn:
        case Level::not_judged: return Colour::yellow;
        case Level::audit: return Colour::grey;
    }
    return Colour::none;
}

class TableOutput final : public Output {
public:
    TableOutput(std::ostream& out, const OutputOptions& options) : out_(out), options_(options) {}

    void judged(const Judged& judged) override {
        // Warnings repeat the findings that warn; where there are none, they say something else, as that a dry run would be refused.
        const bool other_warnings = !judged.warnings.empty() && !has(judged, Level::warn);
        if (judged.findings.empty() && judged.allowed && !other_warnings && judged.exceptions.empty()) {
            if (options_.show_allowed) write_title("allowed", Colour::green, judged);
            return;
        }
        write_title(judged);
        for (const Finding& finding : judged.findings) write(finding);
        if (other_warnings) {
            for (const std::string& warning : judged.warnings) write_line("warning", Colour::yellow, visible(warning, kTextMax));
        }
        for (const std::string& guidance : guidance_of(judged)) write_guidance(guidance);
        for (const std::string& exception : judged.exceptions) {
            write_line("exception", Colour::grey, visible(exception, kTextMax) + " was used");
        }
        out_ << '\n';
    }

    void finish(const Summary& summary) override {
        const bool bad = summary.denied + summary.errors > 0;
        const bool odd = summary.warned + summary.not_judged > 0;
        out_ << options_.style.paint(bad ? Colour::red : odd ? Colour::yellow : Colour::green, summary_sentence(summary)) << '\n';
    }

private:
    void write_title(const Judged& judged) {
        if (has(judged, Level::error)) return write_title("error", Colour::red, judged);
        if (!judged.allowed) return write_title("denied", Colour::red, judged);
        if (has(judged, Level::not_judged)) return write_title("not judged", Colour::yellow, judged);
        write_title("allowed", Colour::yellow, judged);
    }

    // What is not an object was not judged: its problem is its title.
    void write_title(std::string_view verdict, Colour colour, const Judged& judged) {
        const std::string object = to_string(judged.object);
        if (object.empty() && judged.uid.empty()) return;
        out_ << options_.style.paint(colour, verdict) << ' ';
        out_ << options_.style.paint(Colour::bold, visible(object.empty() ? "review " + judged.uid : object, kNameMax));
        out_ << "  " << options_.style.paint(Colour::grey, visible(to_string(judged.place), kNameMax)) << '\n';
    }

    void write(const Finding& finding) {
        std::string where;
        if (!finding.policy.empty()) where = "  " + visible(rule_id(finding), kNameMax);
        if (!finding.path.empty()) where += "  " + visible(finding.path, kNameMax);
        write_line(to_string(finding.level), colour_of(finding.level), visible(to_string(finding.place), kNameMax) + where);
        write_line("", Colour::none, message_of(finding));
    }

    // The two values apart, so that a long one does not hide the other.
    static std::string message_of(const Finding& finding) {
        if (finding.have.empty() || finding.want.empty()) return visible(finding.message, kTextMax);
        return "have " + visible(finding.have, kTextMax / 2) + ", want " + visible(finding.want, kTextMax / 2);
    }

    void write_guidance(std::string_view guidance) {
        std::string_view label = "fix";
        each_line(guidance, [&](std::string_view line) {
            write_line(label, Colour::green, visible(line, kTextMax));
            label = "";
        });
    }

    void write_line(std::string_view label, Colour colour, std::string_view text) {
        out_ << "  " << options_.style.paint(colour, label) << std::string(label.size() < 10 ? 10 - label.size() : 0, ' ') << ' ' << text
             << '\n';
    }

    std::ostream& out_;
    OutputOptions options_;
};

}  // namespace

std::unique_ptr<Output> table_output(std::ostream& out, const OutputOptions& options) {
    return std::make_unique<TableOutput>(out, options);
}

}  // namespace fluxgate::cli
