#include "cli/testing/update_expectations.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/expectation.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kLineCharactersMax = 140;

// Of that line and column, which count characters.
std::size_t offset_of(std::string_view text, kube::Position position) {
    std::size_t at = text.starts_with("\xef\xbb\xbf") && position.line == 1 ? 3 : 0;
    for (int line = 1; line < position.line && at != std::string_view::npos; ++line) at = text.find('\n', at) + 1;
    for (int column = 1; column < position.column && at < text.size(); ++column) {
        do ++at;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
    }
    return std::min(at, text.size());
}

// One past the quote that closes the one at `at`; npos if none does.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\' && quote == '"') {
            ++at;
        } else if (text[at] == quote) {
            const bool doubled = quote == '\'' && at + 1 < text.size() && text[at + 1] == quote;
            if (!doubled) return at + 1;
            ++at;
        }
    }
    return std::string_view::npos;
}

// One past the bracket that closes the one at `at`; npos if none does. Quotes count where a scalar begins, nowhere else
// (https://yaml.org/spec/1.2.2/#733-plain-style).
std::size_t end_of_flow(std::string_view text, std::size_t at) {
    const auto is_one_of = [&](std::size_t i, std::string_view set) {
        return i >= text.size() || set.find(text[i]) != std::string_view::npos;
    };
    int depth = 0;
    bool scalar_may_begin = false;
    bool after_json = false;  // behind a quoted text or a bracket: a colon needs no blank then
    while (at < text.size()) {
        const char c = text[at];
        if (scalar_may_begin && (c == '"' || c == '\'')) {
            at = end_of_quoted(text, at);
            scalar_may_begin = false;
            after_json = true;
            continue;
        }
        if (c == '#' && is_one_of(at - 1, " \t\r\n")) {
            at = text.find('\n', at);
            continue;
        }
        if ((c == '}' || c == ']') && --depth == 0) return at + 1;
        if (!is_one_of(at, " \t\r\n")) {
            if (c == '{' || c == '[') ++depth;
            const bool ends_key = c == ':' && (after_json || is_one_of(at + 1, " \t\r\n,[]{}"));
            scalar_may_begin = ends_key || is_one_of(at, "{[,");
            after_json = is_one_of(at, "}]");
        }
        ++at;
    }
    return std::string_view::npos;
}

// Behind the last line of the mapping whose first key is at `at`, in that column.
std::size_t end_of_block(std::string_view text, std::size_t at, std::size_t indentation) {
    const auto without_return = [&](std::size_t end) { return end > at && text[end - 1] == '\r' ? end - 1 : end; };
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return text.size();
    std::size_t last = without_return(end);
    while (end != std::string_view::npos) {
        const std::size_t start = end + 1;
        end = text.find('\n', start);
        const std::string_view line = text.substr(start, end == std::string_view::npos ? end : end - start);
        const std::size_t first = line.find_first_not_of(" \r\t");
        if (first == std::string_view::npos) continue;
        if (first < indentation) {
            if (line[first] == '#') continue;
            break;
        }
        last = without_return(end == std::string_view::npos ? text.size() : end);
    }
    return last;
}

std::vector<std::string> block_lines(const policy::Expectation& expect) {
    std::vector<std::string> lines{fmt::format("allowed: {}", expect.allowed)};
    const auto list = [&](std::string_view key, const auto& items) {
        lines.push_back(fmt::format("{}:{}", key, items.empty() ? " []" : ""));
        for (const auto& item : items) lines.push_back("- " + policy::to_yaml(item));
    };
    if (expect.violations) list("violations", *expect.violations);
    if (expect.warnings) list("warnings", *expect.warnings);
    if (!expect.message.empty()) lines.push_back("message: " + policy::to_yaml(expect.message));
    return lines;
}

std::string flow_line(const policy::Expectation& expect) {
    std::string text = fmt::format("{{allowed: {}", expect.allowed);
    const auto list = [&](std::string_view key, const auto& items) {
        text += fmt::format(", {}: [", key);
        for (std::size_t i = 0; i < items.size(); ++i) text += (i > 0 ? ", " : "") + policy::to_yaml(items[i]);
        text += ']';
    };
    if (expect.violations) list("violations", *expect.violations);
    if (expect.warnings) list("warnings", *expect.warnings);
    if (!expect.message.empty()) text += ", message: " + policy::to_yaml(expect.message);
    return text + "}";
}

std::string json_line(const policy::Expectation& expect) {
    nlohmann::ordered_json json{{"allowed", expect.allowed}};
    if (expect.violations) {
        json["violations"] = nlohmann::ordered_json::array();
        for (const policy::ExpectedViolation& violation : *expect.violations) {
            nlohmann::ordered_json entry;
            if (!violation.policy.empty()) entry["policy"] = violation.policy;
            entry["rule"] = violation.rule;
            if (!violation.path.empty()) entry["path"] = violation.path;
            if (violation.action) entry["action"] = policy::name_of(*violation.action);
            json["violations"].push_back(std::move(entry));
        }
    }
    if (expect.warnings) json["warnings"] = *expect.warnings;
    if (!expect.message.empty()) json["message"] = expect.message;
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

struct Replacement {
    std::size_t start = 0;
    std::size_t end = 0;  // npos: not found
    std::string text;
};

Replacement replacement_of(std::string_view text, const ExpectationUpdate& update) {
    const std::size_t start = offset_of(text, update.place.mapping);
    const bool in_flow = text[offset_of(text, update.place.the_case)] == '{';
    const std::string newline = text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";
    const auto block = [&](std::size_t indentation) {
        std::string lines;
        for (const std::string& line : block_lines(update.expect))
            lines += (lines.empty() ? "" : newline + std::string(indentation, ' ')) + line;
        return lines;
    };
    const auto column = static_cast<std::size_t>(update.place.mapping.column - 1);
    if (text[start] != '{') return {start, end_of_block(text, start, column), block(column)};
    const std::size_t end = end_of_flow(text, start);
    const std::size_t first = text.find_first_not_of(" \t\r\n", start + 1);
    const bool is_json = in_flow && first != std::string_view::npos && text[first] == '"';
    std::string flow = is_json ? json_line(update.expect) : flow_line(update.expect);
    if (in_flow || column + flow.size() <= kLineCharactersMax) return {start, end, std::move(flow)};
    const auto indentation = static_cast<std::size_t>(update.place.key.column + 1);
    const std::size_t after_colon = text.find_last_not_of(" \t", start - 1) + 1;
    return {after_colon, end, newline + std::string(indentation, ' ') + block(indentation)};
}

const policy::Expectation* update_at(const std::vector<ExpectationUpdate>& updates, kube::Position position) {
    const auto found = std::find_if(updates.begin(), updates.end(), [&](const auto& update) { return update.place.mapping == position; });
    return found == updates.end() ? nullptr : &found->expect;
}

bool only_expectations_differ(const kube::Node& before, const kube::Node& after, const std::vector<ExpectationUpdate>& updates) {
    if (before.kind() != after.kind()) return false;
    if (before.kind() == kube::Node::Kind::mapping) {
        if (const policy::Expectation* expect = update_at(updates, before.position()))
            return nlohmann::json::parse(kube::to_json(after)) == nlohmann::json::parse(json_line(*expect));
    }
    return before.text() == after.text() &&
           std::equal(before.items().begin(), before.items().end(), after.items().begin(), after.items().end(),
                      [&](const kube::Node& one, const kube::Node& other) { return only_expectations_differ(one, other, updates); }) &&
           std::equal(before.entries().begin(), before.entries().end(), after.entries().begin(), after.entries().end(),
                      [&](const kube::Entry& one, const kube::Entry& other) {
                          return one.key == other.key && only_expectations_differ(one.value, other.value, updates);
                      });
}

}  // namespace

bool only_expectations_differ(std::string_view before, std::string_view after, const std::vector<ExpectationUpdate>& updates,
                              const Limits& limits) {
    const kube::ReadResult old_one = kube::read_manifests(before, limits);
    const kube::ReadResult new_one = kube::read_manifests(after, limits);
    return old_one.problems.empty() && new_one.problems.empty() &&
           std::equal(old_one.documents.begin(), old_one.documents.end(), new_one.documents.begin(), new_one.documents.end(),
                      [&](const kube::Document& one, const kube::Document& other) {
                          return only_expectations_differ(one.root, other.root, updates);
                      });
}

std::optional<std::string> update_expectations(std::string_view text, std::vector<ExpectationUpdate> updates, const Limits& limits) {
    std::sort(updates.begin(), updates.end(), [](const auto& one, const auto& other) { return one.place.mapping < other.place.mapping; });
    std::string updated;
    std::size_t done = 0;
    for (const ExpectationUpdate& update : updates) {
        const Replacement replacement = replacement_of(text, update);
        if (replacement.end == std::string_view::npos || replacement.start < done) return std::nullopt;
        updated.append(text, done, replacement.start - done).append(replacement.text);
        done = replacement.end;
    }
    updated.append(text, done);
    if (!only_expectations_differ(text, updated, updates, limits)) return std::nullopt;
    return updated;
}

}  // namespace fluxgate::cli
