#include "kube/object_changes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>

#include "kube/path.hpp"

namespace fluxgate::kube {

namespace {

constexpr std::string_view kAbsent = "(absent)";
constexpr std::string_view kNotShown = "(not shown)";
constexpr std::size_t kValueBytesMax = 80;

bool is_server_written(std::string_view path) {
    constexpr std::array<std::string_view, 5> kPaths{".metadata.managedFields", ".metadata.resourceVersion", ".metadata.generation", ".metadata.uid",
                                                     ".metadata.creationTimestamp"};
    return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

bool speaks_of_a_secret(std::string_view field) {
    std::string lower(field);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array<std::string_view, 8> kWords{"password", "passwd", "secret", "token", "credential", "apikey", "privatekey", "last-applied"};
    return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Cuts between UTF-8 characters.
std::string shortened(std::string text) {
    if (text.size() <= kValueBytesMax) return text;
    std::size_t end = kValueBytesMax - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    return text + "...";
}

std::string show(Json value) {
    if (!value.present()) return std::string(kAbsent);
    if (const auto text = value.string()) return shortened(quoted(*text));
    if (value.is_object() || value.is_array()) return shortened(value.dump());
    return value.dump();
}

class Comparison {
public:
    Comparison(std::string_view kind, std::size_t changes_max) : hide_data_(kind == "Secret" || kind == "ConfigMap"), changes_max_(changes_max) {}

    // `hidden`: an enclosing field must not be shown.
    void compare(Json before, Json after, const std::string& path, bool hidden) {
        if (is_server_written(path)) return;
        if (before.is_object() && after.is_object()) return compare_objects(before, after, path, hidden);
        if (before.is_array() && after.is_array()) return compare_arrays(before, after, path, hidden);
        if (equal(before, after)) return;
        // A whole subtree that came or went may hold anything below it.
        const bool hide = hidden || before.is_object() || after.is_object() || before.is_array() || after.is_array();
        if (hide && !hidden) return note(path, summary(before), summary(after));
        note(path, hide ? std::string(before.present() ? kNotShown : kAbsent) : show(before),
             hide ? std::string(after.present() ? kNotShown : kAbsent) : show(after));
    }

    Changes take() { return std::move(changes_); }

private:
    using Named = std::unordered_map<std::string_view, Json>;

    // Containers, volumes and the like that were added or removed are named, not quoted.
    static std::string summary(Json value) {
        if (value.is_array()) return "a list of " + std::to_string(value.size());
        if (!value.is_object()) return show(value);
        std::string text = "{";
        value.each_member([&](std::string_view key, Json) {
            if (text.size() > 1) text += ", ";
            text += key;
        });
        return shortened(text + "}");
    }

    bool hides(std::string_view field, const std::string& path) const {
        if (hide_data_ && (path == ".data" || path == ".stringData" || path == ".binaryData")) return true;
        if (field == "command" || field == "args") return true;
        if (field == "value" && path.find(".env[") != std::string::npos) return true;
        return speaks_of_a_secret(field);
    }

    void compare_objects(Json before, Json after, const std::string& path, bool hidden) {
        const auto member = [&](std::string_view key, Json old_value, Json new_value) {
            std::string below = path;
            append_field(below, key);
            compare(old_value, new_value, below, hidden || hides(key, below));
        };
        Named old_members;
        Named new_members;
        before.each_member([&](std::string_view key, Json value) { old_members.emplace(key, value); });
        after.each_member([&](std::string_view key, Json value) { new_members.emplace(key, value); });
        before.each_member([&](std::string_view key, Json value) {
            const auto twin = new_members.find(key);
            member(key, value, twin == new_members.end() ? Json() : twin->second);
        });
        after.each_member([&](std::string_view key, Json value) {
            if (!old_members.contains(key)) member(key, Json(), value);
        });
    }

    static bool by_name(Json list, Named& items) {
        bool named = list.size() > 0;
        list.each_item([&](Json item) {
            const std::string_view name = item["name"].text();
            named = named && !name.empty() && items.emplace(name, item).second;
        });
        return named;
    }

    // Of two lists with the same names.
    static bool same_order(Json before, Json after) {
        std::vector<std::string_view> names;
        before.each_item([&](Json item) { names.push_back(item["name"].text()); });
        std::size_t position = 0;
        bool same = true;
        after.each_item([&](Json item) { same = same && names[position++] == item["name"].text(); });
        return same;
    }

    void compare_arrays(Json before, Json after, const std::string& path, bool hidden) {
        Named old_items;
        Named new_items;
        if (by_name(before, old_items) && by_name(after, new_items)) {
            const std::size_t found_before = changes_.list.size() + changes_.omitted;
            const auto item = [&](std::string_view name, Json old_value, Json new_value) {
                std::string below = path;
                append_key(below, "name", name);
                compare(old_value, new_value, below, hidden);
            };
            before.each_item([&](Json value) {
                const auto twin = new_items.find(value["name"].text());
                item(value["name"].text(), value, twin == new_items.end() ? Json() : twin->second);
            });
            after.each_item([&](Json value) {
                if (!old_items.contains(value["name"].text())) item(value["name"].text(), Json(), value);
            });
            if (changes_.list.size() + changes_.omitted == found_before && !same_order(before, after)) {
                note(path, "(in this order)", "(the same items in another order)");
            }
            return;
        }
        std::vector<Json> old_list;
        std::vector<Json> new_list;
        before.each_item([&](Json value) { old_list.push_back(value); });
        after.each_item([&](Json value) { new_list.push_back(value); });
        for (std::size_t i = 0; i < std::max(old_list.size(), new_list.size()); ++i) {
            std::string below = path;
            append_index(below, i);
            compare(i < old_list.size() ? old_list[i] : Json(), i < new_list.size() ? new_list[i] : Json(), below, hidden);
        }
    }

    void note(const std::string& path, std::string before, std::string after) {
        if (changes_.list.size() >= changes_max_) {
            ++changes_.omitted;
            return;
        }
        changes_.list.push_back(Change{path, std::move(after), std::move(before)});
    }

    bool hide_data_;
    std::size_t changes_max_;
    Changes changes_;
};

}  // namespace

Changes find_changes(Json old_object, Json new_object, std::string_view kind, std::size_t changes_max) {
    Comparison comparison(kind, changes_max);
    comparison.compare(old_object, new_object, "", false);
    return comparison.take();
}

}  // namespace fluxgate::kube
