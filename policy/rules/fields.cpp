#include "policy/rules/fields.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

// An image with registry and digest is shown whole.
constexpr std::size_t kShownBytesMax = 160;
constexpr std::size_t kListedMax = 8;

// Not within a character of UTF-8.
std::string_view cut(std::string_view text) {
    std::size_t end = kShownBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

}  // namespace

std::optional<bool> decode_boolean(Mapping& fields, std::string_view key) {
    const kube::Node* node = fields.field(key);
    if (!node) return std::nullopt;
    if (node->kind() == kube::Node::Kind::boolean) return node->as_bool();
    fields.problems().add(Errc::wrong_type, node->position(),
                          fmt::format("{}: expected true or false, have {}", fields.name_of(key), kube::describe(node->kind())));
    return std::nullopt;
}

std::vector<std::string> decode_names(Mapping& fields, std::string_view key, const std::vector<std::string_view>& names) {
    std::vector<std::string> list;
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        if (const auto index = one_of(item, what, names, fields.problems())) list.emplace_back(names[*index]);
    });
    return list;
}

std::vector<std::string> decode_texts(Mapping& fields, std::string_view key) {
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        if (item.kind() == kube::Node::Kind::string && item.text().empty())
            fields.problems().add(Errc::invalid_policy, item.position(), what + ": must not be empty");
    });
    return fields.strings(key);
}

void refuse_empty_list(Mapping& fields, std::string_view key, std::string_view meaning) {
    const kube::Node* list = fields.field(key);
    if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty())
        fields.problem(key, fmt::format("is an empty list, which {}", meaning));
}

bool refuse_longer_list(Mapping& fields, std::string_view key, std::size_t items_max) {
    const kube::Node* list = fields.field(key);
    if (!list || list->items().size() <= items_max) return false;
    fields.problems().add(Errc::too_large, list->position(),
                          fmt::format("{}: has {} items; at most {} are read", fields.name_of(key), list->items().size(), items_max));
    return true;
}

void DemandCheck::require(bool demands_something, std::string_view message) const {
    if (demands_something || fields_.problems().count() > problems_before_) return;
    fields_.problems().add(Errc::invalid_policy, fields_.position(), std::string(message));
}

bool is_empty(kube::Json value) { return value.absent_or_null() || (value.is_string() && value.text().empty()); }

std::string shown(std::string_view text) { return text.size() <= kShownBytesMax ? kube::quoted(text) : kube::quoted(cut(text)) + "..."; }

std::string shown(kube::Json value) {
    if (value.absent_or_null()) return "(absent)";
    if (value.is_string()) return shown(value.text());
    if (value.is_object() || value.is_array()) return "an " + std::string(value.type_name());
    return value.dump();
}

std::string listed(const std::vector<std::string>& names) {
    if (names.size() <= kListedMax) return fmt::format("{}", fmt::join(names, ", "));
    return fmt::format("{} … and {} more", fmt::join(names.begin(), names.begin() + kListedMax, ", "), names.size() - kListedMax);
}

}  // namespace fluxgate::policy
