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

// One past the bracket that closes the one at `at`.
std::size_t end_of_flow(std::string_view text, std::size_t at) {
    int depth = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
        } else if (c == '\'' &&
                   (text[at - 1] == ' ' || text[at - 1] == '[' || text[at - 1] == '{' || text[at - 1] == ',' || text[at - 1] == '\n')) {
            // Two of them are one within the text: the second begins another text, which ends where this one does.
            at = text.find('\'', at + 1);
            while (at + 1 < text.size() && text[at + 1] == '\'') at = text.find('\'', at + 2);
        } else if (c == '#' && (text[at - 1] == ' ' || text[at - 1] == '\n' || text[at - 1] == '\t')) {
            at = text.find('\n', at);
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return at + 1;
        }
        if (at == std::string_view::npos) break;
    }
    return text.size();
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

void replace(std::string& text, const ExpectationUpdate& update) {
    const std::size_t start = offset_of(text, update.place.mapping);
    const bool in_flow = text[offset_of(text, update.place.the_case)] == '{';
    const std::string newline = text.find("\r\n") == std::string::npos ? "\n" : "\r\n";
    const auto block = [&](std::size_t indentation) {
        std::string lines;
        for (const std::string& line : block_lines(update.expect))
            lines += (lines.empty() ? "" : newline + std::string(indentation, ' ')) + line;
        return lines;
    };
    const auto column = static_cast<std::size_t>(update.place.mapping.column - 1);
    if (text[start] != '{') {
        text.replace(start, end_of_block(text, start, column) - start, block(column));
        return;
    }
    const std::size_t end = end_of_flow(text, start);
    const std::size_t first = text.find_first_not_of(" \t\r\n", start + 1);
    const bool is_json = in_flow && first != std::string::npos && text[first] == '"';
    const std::string flow = is_json ? json_line(update.expect) : flow_line(update.expect);
    if (in_flow || column + flow.size() <= kLineCharactersMax) {
        text.replace(start, end - start, flow);
        return;
    }
    const auto indentation = static_cast<std::size_t>(update.place.key.column + 1);
    const std::size_t after_colon = text.find_last_not_of(" \t", start - 1) + 1;
    text.replace(after_colon, end - after_colon, newline + std::string(indentation, ' ') + block(indentation));
}

}  // namespace

std::string update_expectations(std::string_view text, std::vector<ExpectationUpdate> updates) {
    // From the end, so that places before stay where they are.
    std::sort(updates.begin(), updates.end(), [](const auto& one, const auto& other) { return one.place.mapping > other.place.mapping; });
    std::string updated(text);
    for (const ExpectationUpdate& update : updates) replace(updated, update);
    return updated;
}

}  // namespace fluxgate::cli
