#include "policy/expectation.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

using Side = DiffLine::Side;

bool agrees(const ExpectedViolation& expected, const Violation& found) {
    return (expected.policy.empty() || expected.policy == found.policy) && expected.rule == found.rule &&
           (expected.path.empty() || expected.path == found.path) && (!expected.action || *expected.action == found.action);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Which entries are met, and what is found besides.
struct Compared {
    std::vector<bool> met;
    std::vector<const Violation*> unexpected;
};

Compared compare(const std::vector<ExpectedViolation>& expected, const std::vector<Violation>& found) {
    Compared compared{std::vector<bool>(expected.size(), false), {}};
    for (const Violation& violation : found) {
        bool wanted = false;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (!agrees(expected[i], violation)) continue;
            compared.met[i] = true;
            wanted = true;
        }
        const auto names_a_path_of_the_rule = [&](const ExpectedViolation& one) {
            return one.rule == violation.rule && !one.path.empty() && (one.policy.empty() || one.policy == violation.policy);
        };
        if (violation.path == "." && std::any_of(expected.begin(), expected.end(), names_a_path_of_the_rule)) continue;
        if (!wanted) compared.unexpected.push_back(&violation);
    }
    return compared;
}

ExpectedViolation entry_for(const Violation& violation, bool with_policy, bool with_action) {
    ExpectedViolation entry{with_policy ? violation.policy : "", violation.rule, violation.path == "." ? "" : violation.path, {}};
    if (with_action) entry.action = violation.action;
    return entry;
}

// For what is shown: as exact as what it stands beside.
bool names_policies(const std::vector<ExpectedViolation>& list) {
    return std::any_of(list.begin(), list.end(), [](const ExpectedViolation& one) { return !one.policy.empty(); });
}
bool names_actions(const std::vector<ExpectedViolation>& list) {
    return std::any_of(list.begin(), list.end(), [](const ExpectedViolation& one) { return one.action.has_value(); });
}

class Diff {
public:
    void both(std::string text) { lines_.push_back({Side::both, std::move(text)}); }
    void expected(std::string text) { differ(Side::expected, std::move(text)); }
    void actual(std::string text) { differ(Side::actual, std::move(text)); }
    std::vector<DiffLine> take() { return differs_ ? std::move(lines_) : std::vector<DiffLine>{}; }

private:
    void differ(Side side, std::string text) {
        differs_ = true;
        lines_.push_back({side, std::move(text)});
    }
    std::vector<DiffLine> lines_;
    bool differs_ = false;
};

void compare_violations(const std::vector<ExpectedViolation>& expected, const Verdict& verdict, Diff& diff) {
    const Compared compared = compare(expected, verdict.violations);
    diff.both(expected.empty() ? "violations: []" : "violations:");
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::string line = "- " + to_yaml(expected[i]);
        compared.met[i] ? diff.both(line) : diff.expected(line);
    }
    for (const Violation* violation : compared.unexpected) {
        diff.actual(fmt::format("- {}  # have {}, want {}",
                                to_yaml(entry_for(*violation, names_policies(expected), names_actions(expected))), violation->have,
                                violation->want));
    }
    if (verdict.violations_omitted > 0) diff.actual(fmt::format("# and {} more", verdict.violations_omitted));
}

void compare_warnings(const std::vector<std::string>& expected, const std::vector<std::string>& found, Diff& diff) {
    diff.both(expected.empty() ? "warnings: []" : "warnings:");
    const auto is_in = [](const std::vector<std::string>& list, auto&& agree) { return std::any_of(list.begin(), list.end(), agree); };
    for (const std::string& part : expected) {
        const bool met = is_in(found, [&](const std::string& warning) { return contains(warning, part); });
        met ? diff.both("- " + to_yaml(part)) : diff.expected("- " + to_yaml(part));
    }
    for (const std::string& warning : found) {
        if (!is_in(expected, [&](const std::string& part) { return contains(warning, part); })) diff.actual("- " + to_yaml(warning));
    }
}

void compare_message(const Expectation& expect, std::string_view message, Diff& diff) {
    if (contains(message, expect.message)) return diff.both("message: " + to_yaml(expect.message));
    diff.expected("message: " + to_yaml(expect.message));
    if (message.empty()) return;  // allowed; said already
    diff.actual("message: |");
    while (!message.empty()) {
        const std::size_t end = message.find('\n');
        diff.actual("  " + std::string(message.substr(0, end)));
        message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    }
}

bool is_plain(std::string_view text) {
    constexpr std::array<std::string_view, 14> kWords{"",   "null", "~", "true", "false", "yes",  "no",
                                                      "on", "off",  "y", "n",    ".nan",  ".inf", "="};
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return false;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool starts_well = is_letter(text[0]) || (text.size() > 1 && text[0] == '.' && is_letter(text[1]));
    return starts_well && text.back() != ' ' && std::all_of(text.begin(), text.end(), [&](char c) {
               return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '/' || c == ' ';
           });
}

}  // namespace

std::string_view name_of(Action action) {
    switch (action) {
        case Action::deny: return "Deny";
        case Action::warn: return "Warn";
        case Action::audit: return "Audit";
    }
    return "Deny";
}

std::string to_yaml(std::string_view text) {
    if (is_plain(text)) return std::string(text);
    const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (!printable || text.find('"') == std::string_view::npos) return kube::quoted(text);
    std::string quoted = "'";
    for (const char c : text) quoted.append(c == '\'' ? "''" : std::string(1, c));
    return quoted + "'";
}

std::string to_yaml(const ExpectedViolation& violation) {
    std::string text = "{";
    const auto put = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) text += fmt::format("{}{}: {}", text.size() > 1 ? ", " : "", key, to_yaml(value));
    };
    put("policy", violation.policy);
    put("rule", violation.rule);
    put("path", violation.path);
    if (violation.action) put("action", name_of(*violation.action));
    return text + "}";
}

std::vector<DiffLine> differences(const Expectation& expect, const Verdict& verdict, std::string_view message) {
    Diff diff;
    const auto allowed = [](bool value) { return std::string("allowed: ") + (value ? "true" : "false"); };
    if (expect.allowed == verdict.allowed) {
        diff.both(allowed(expect.allowed));
    } else {
        diff.expected(allowed(expect.allowed));
        diff.actual(allowed(verdict.allowed));
    }
    if (expect.violations)
        compare_violations(*expect.violations, verdict, diff);
    else if (expect.allowed != verdict.allowed)  // why, for whoever has to mend it
        for (const Violation& violation : verdict.violations) diff.both("# " + to_string(violation));
    if (expect.warnings) compare_warnings(*expect.warnings, verdict.warnings, diff);
    if (!expect.message.empty()) compare_message(expect, message, diff);
    return diff.take();
}

Expectation expectation_of(const Verdict& verdict, std::string_view message, const Expectation& expect) {
    Expectation found;
    found.allowed = verdict.allowed;
    if (expect.violations || !verdict.allowed) {
        const std::vector<ExpectedViolation> before = expect.violations.value_or(std::vector<ExpectedViolation>{});
        std::set<std::string> rules_with_paths;
        for (const Violation& violation : verdict.violations) {
            if (violation.path != ".") rules_with_paths.insert(violation.policy + "/" + violation.rule);
        }
        found.violations.emplace();
        for (const Violation& violation : verdict.violations) {
            if (violation.path == "." && rules_with_paths.count(violation.policy + "/" + violation.rule) > 0) continue;
            found.violations->push_back(entry_for(violation, names_policies(before), names_actions(before)));
        }
    }
    if (expect.warnings) found.warnings = verdict.warnings;
    if (!expect.message.empty() && !message.empty()) {
        // What was asked for if it is still there, else how the denial ends: the guidance, or its last violation.
        const bool kept = contains(message, expect.message);
        found.message = kept ? expect.message : std::string(message.substr(message.rfind('\n') + 1));
    }
    return found;
}

}  // namespace fluxgate::policy
