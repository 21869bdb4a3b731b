#include "policy/decode.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace fluxgate::policy {

namespace {

// Levenshtein distance, two rows.
std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row.back();
}

}  // namespace

std::string to_string(const Problem& problem) {
    if (problem.position.line == 0) return fmt::format("{}: {}", problem.file, problem.message);
    return fmt::format("{}:{}:{}: {}", problem.file, problem.position.line, problem.position.column, problem.message);
}

void Problems::add(Errc code, kube::Position position, std::string message) {
    if (list_.size() >= problems_max_) {
        ++omitted_;
        return;
    }
    list_.push_back(Problem{code, file_, position, std::move(message)});
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
    if (word.size() > 64) return {};
    const std::string* nearest = nullptr;
    std::size_t best = word.size() / 3 + 2;
    for (const std::string& name : names) {
        const std::size_t distance = edit_distance(word, name);
        if (distance < best) {
            best = distance;
            nearest = &name;
        }
    }
    return nearest ? fmt::format(" (did you mean \"{}\"?)", *nearest) : std::string();
}

Mapping::Mapping(const kube::Node& node, std::string what, Problems& problems) : node_(node), what_(std::move(what)), problems_(problems) {
    if (node.kind() != kube::Node::Kind::mapping) {
        problems_.add(Errc::wrong_type, node.position(),
                      fmt::format("{}: expected a mapping, have {}", what_, kube::describe(node.kind())));
    }
}

const kube::Node* Mapping::find(std::string_view key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
    return node_.find(key);
}

const kube::Node* Mapping::field(std::string_view key) {
    const kube::Node* value = find(key);
    return value && value->kind() == kube::Node::Kind::null ? nullptr : value;
}

const kube::Node* Mapping::required(std::string_view key, std::string_view expected) {
    const kube::Node* value = field(key);
    if (!value && node_.kind() == kube::Node::Kind::mapping) {
        problems_.add(Errc::missing_field, position_of(key), fmt::format("{} is missing: expected {}", name_of(key), expected));
    }
    return value;
}

kube::Position Mapping::position_of(std::string_view key) const {
    for (const kube::Entry& entry : node_.entries()) {
        if (entry.key == key) return entry.value.kind() == kube::Node::Kind::null ? entry.key_position : entry.value.position();
    }
    return node_.position();
}

std::string Mapping::string(std::string_view key) {
    const kube::Node* value = field(key);
    if (!value) return {};
    if (value->kind() != kube::Node::Kind::string) {
        problems_.add(Errc::wrong_type, value->position(),
                      fmt::format("{}: expected a string, have {}", name_of(key), kube::describe(value->kind())));
        return {};
    }
    return value->text();
}

std::string Mapping::required_string(std::string_view key) {
    if (!required(key, "a string")) return {};
    const std::size_t before = problems_.count();
    std::string text = string(key);
    if (text.empty() && before == problems_.count()) problem(key, "must not be empty");
    return text;
}

const kube::Node* Mapping::sequence(std::string_view key) {
    const kube::Node* value = field(key);
    if (!value) return nullptr;
    if (value->kind() != kube::Node::Kind::sequence) {
        problems_.add(Errc::wrong_type, value->position(),
                      fmt::format("{}: expected a list, have {}", name_of(key), kube::describe(value->kind())));
        return nullptr;
    }
    return value;
}

std::vector<std::string> Mapping::strings(std::string_view key) {
    std::vector<std::string> list;
    each(key, [&](const kube::Node& item, const std::string& what) {
        if (item.kind() == kube::Node::Kind::string) {
            list.push_back(item.text());
            return;
        }
        problems_.add(Errc::wrong_type, item.position(), fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
    });
    return list;
}

void Mapping::not_implemented(std::string_view key) {
    if (!find(key)) return;
    problems_.add(Errc::not_implemented, position_of(key),
                  fmt::format("{} is not implemented in this version of Fluxgate; remove it (it is refused so that nobody relies on it)",
                              name_of(key)));
}

void Mapping::finish() {
    for (const kube::Entry& entry : node_.entries()) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        problems_.add(Errc::invalid_policy, entry.key_position,
                      fmt::format("{}: unknown field{}; expected one of: {}", name_of(entry.key), did_you_mean(entry.key, known_),
                                  fmt::join(known_, ", ")));
    }
}

std::optional<std::size_t> one_of(const kube::Node& node, std::string_view what, const std::vector<std::string_view>& names,
                                  Problems& problems) {
    const auto found = node.kind() == kube::Node::Kind::string ? std::find(names.begin(), names.end(), node.text()) : names.end();
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    const std::vector<std::string> known(names.begin(), names.end());
    const std::string have = node.text().empty() ? std::string(kube::describe(node.kind())) : "\"" + node.text().substr(0, 80) + "\"";
    problems.add(Errc::invalid_policy, node.position(),
                 fmt::format("{}: have {}, expected one of: {}{}", what, have, fmt::join(known, ", "), did_you_mean(node.text(), known)));
    return std::nullopt;
}

}  // namespace fluxgate::policy
