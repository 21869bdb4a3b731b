#include "kube/object_changes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "kube/path.hpp"

namespace fluxgate::kube {

namespace {

constexpr std::string_view kAbsent = "(absent)";
constexpr std::string_view kNotShown = "(not shown)";
constexpr std::size_t kValueBytesMax = 80;
// Real paths stay below 300. Keys of a custom resource may be megabytes long, and each change repeats its path.
constexpr std::size_t kPathBytesMax = 1'000;

bool is_server_written(std::string_view path) {
    constexpr std::array<std::string_view, 5> kPaths{".metadata.managedFields", ".metadata.resourceVersion", ".metadata.generation",
                                                     ".metadata.uid", ".metadata.creationTimestamp"};
    return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

// Case and separators aside: apiKey, api_key and api-key are one word.
bool speaks_of_a_secret(std::string_view field) {
    std::string word;
    for (const char c : field) {
        if (c != '-' && c != '_') word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    constexpr std::array<std::string_view, 9> kWords{"password",   "passwd", "passphrase", "secret",     "token",
                                                     "credential", "apikey", "privatekey", "lastapplied"};
    return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view hint) { return word.find(hint) != std::string::npos; });
}

// A PEM block, a JSON Web Token, the user part of a URL.
bool looks_like_a_secret(std::string_view text) {
    if (text.find("-----BEGIN") != std::string_view::npos) return true;
    const std::size_t token = text.find("eyJ");
    if (token != std::string_view::npos && text.find('.', token) != std::string_view::npos) return true;
    for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
        const std::string_view authority = text.substr(at + 3, text.find_first_of("/?# \n", at + 3) - (at + 3));
        if (authority.find('@') != std::string_view::npos) return true;
    }
    return false;
}

// Cuts between UTF-8 characters.
std::string shortened(std::string text, std::size_t bytes_max = kValueBytesMax) {
    if (text.size() <= bytes_max) return text;
    std::size_t end = bytes_max - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    return text + "...";
}

// Values by name. Sorted, not hashed: whoever chooses the names must not choose how long a look-up takes.
class Index {
public:
    static Index of_members(Json object) {
        Index index;
        object.each_member([&](std::string_view key, Json value) { index.entries_.emplace_back(key, value); });
        index.sort();
        return index;
    }
    // nullopt unless the list has items and all have names of their own.
    static std::optional<Index> of_items(Json list) {
        Index index;
        bool named = true;
        list.each_item([&](Json item) {
            const std::string_view name = item["name"].text();
            named = named && !name.empty();
            index.entries_.emplace_back(name, item);
        });
        if (!named || index.entries_.empty()) return std::nullopt;
        index.sort();
        const auto same_name = [](const Entry& left, const Entry& right) { return left.first == right.first; };
        if (std::adjacent_find(index.entries_.begin(), index.entries_.end(), same_name) != index.entries_.end()) return std::nullopt;
        return index;
    }
    // Absent if there is none.
    Json find(std::string_view name) const {
        const auto entry = std::lower_bound(entries_.begin(), entries_.end(), name,
                                            [](const Entry& left, std::string_view right) { return left.first < right; });
        return entry != entries_.end() && entry->first == name ? entry->second : Json();
    }

private:
    using Entry = std::pair<std::string_view, Json>;
    void sort() {
        std::sort(entries_.begin(), entries_.end(), [](const Entry& left, const Entry& right) { return left.first < right.first; });
    }
    std::vector<Entry> entries_;
};

class Comparison {
public:
    Comparison(std::string_view kind, std::string path, std::size_t changes_max)
        : kind_(kind), changes_max_(changes_max), path_(std::move(path)) {}

    // `hidden`: an enclosing field must not be shown.
    void compare(Json before, Json after, bool hidden) {
        if (is_server_written(path_)) return;
        if (before.is_object() && after.is_object()) return compare_objects(before, after, hidden);
        if (before.is_array() && after.is_array()) return compare_arrays(before, after, hidden);
        if (equal(before, after)) return;
        if (hidden) return note(before.present() ? kNotShown : kAbsent, after.present() ? kNotShown : kAbsent);
        note(show(before), show(after));
    }

    Changes take() { return std::move(changes_); }

private:
    // The path grows and shrinks in place: one string per value would cost long keys times many leaves.
    class Below {
    public:
        explicit Below(std::string& path) : path_(path), size_(path.size()) {}
        ~Below() { path_.resize(size_); }
        Below(const Below&) = delete;
        Below& operator=(const Below&) = delete;

    private:
        std::string& path_;
        std::size_t size_;
    };

    // A whole subtree that came or went may hold anything: its members are named, not quoted.
    static std::string show(Json value) {
        if (!value.present()) return std::string(kAbsent);
        if (const auto text = value.string()) return looks_like_a_secret(*text) ? std::string(kNotShown) : shortened(quoted(*text));
        if (value.is_array()) return "a list of " + std::to_string(value.size());
        if (!value.is_object()) return value.dump();
        std::string text = "{";
        value.each_member([&](std::string_view key, Json) {
            if (text.size() > kValueBytesMax) return;
            if (text.size() > 1) text += ", ";
            text += key;
        });
        return shortened(text + "}");
    }

    // Most values of an object are such: neither their path nor what hides them is needed then.
    static bool is_same_scalar(Json before, Json after) {
        return before.present() && !before.is_object() && !before.is_array() && equal(before, after);
    }

    void compare_objects(Json before, Json after, bool hidden) {
        const auto member = [&](std::string_view key, Json old_value, Json new_value) {
            if (is_same_scalar(old_value, new_value)) return;
            const Below below(path_);
            append_field(path_, key);
            compare(old_value, new_value, hidden || hides_value(kind_, path_, key, before, after));
        };
        if (each_in_order(before, after, member)) return;
        const Index old_members = Index::of_members(before);
        const Index new_members = Index::of_members(after);
        before.each_member([&](std::string_view key, Json value) { member(key, value, new_members.find(key)); });
        after.each_member([&](std::string_view key, Json value) {
            if (!old_members.find(key).present()) member(key, Json(), value);
        });
    }

    // Objects with the same members in the same order, as the API server writes them, need no index. False: they are not such, and
    // `member` was not called.
    template <class Member>
    bool each_in_order(Json before, Json after, const Member& member) {
        const std::size_t begin = members_.size();
        const auto push = [&](std::string_view key, Json value) { members_.emplace_back(key, value); };
        before.each_member(push);
        const std::size_t count = members_.size() - begin;
        after.each_member(push);
        bool same = members_.size() - begin == 2 * count;
        for (std::size_t i = begin; same && i < begin + count; ++i) same = members_[i].first == members_[i + count].first;
        for (std::size_t i = begin; same && i < begin + count; ++i) {
            const auto [key, old_value] = members_[i];  // copied: `member` comes back here, and the vector may grow
            member(key, old_value, members_[i + count].second);
        }
        members_.resize(begin);
        return same;
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

    void compare_arrays(Json before, Json after, bool hidden) {
        const auto old_items = Index::of_items(before);
        const auto new_items = Index::of_items(after);
        if (old_items && new_items) return compare_named(before, *old_items, after, *new_items, hidden);
        std::vector<Json> old_list;
        std::vector<Json> new_list;
        before.each_item([&](Json value) { old_list.push_back(value); });
        after.each_item([&](Json value) { new_list.push_back(value); });
        for (std::size_t i = 0; i < std::max(old_list.size(), new_list.size()); ++i) {
            const Json old_value = i < old_list.size() ? old_list[i] : Json();
            const Json new_value = i < new_list.size() ? new_list[i] : Json();
            if (is_same_scalar(old_value, new_value)) continue;
            const Below below(path_);
            append_index(path_, i);
            compare(old_value, new_value, hidden);
        }
    }

    void compare_named(Json before, const Index& old_items, Json after, const Index& new_items, bool hidden) {
        const std::size_t found_before = changes_.list.size() + changes_.omitted;
        const auto item = [&](std::string_view name, Json old_value, Json new_value) {
            const Below below(path_);
            append_key(path_, "name", name);
            compare(old_value, new_value, hidden);
        };
        before.each_item([&](Json value) { item(value["name"].text(), value, new_items.find(value["name"].text())); });
        after.each_item([&](Json value) {
            if (!old_items.find(value["name"].text()).present()) item(value["name"].text(), Json(), value);
        });
        if (changes_.list.size() + changes_.omitted == found_before && !same_order(before, after)) {
            note("(in this order)", "(the same items in another order)");
        }
    }

    void note(std::string_view before, std::string_view after) {
        if (changes_.list.size() >= changes_max_) {
            ++changes_.omitted;
            return;
        }
        changes_.list.push_back(
            Change{shortened(path_.substr(0, kPathBytesMax + 1), kPathBytesMax), std::string(after), std::string(before)});
    }

    std::string_view kind_;
    std::size_t changes_max_;
    std::string path_;
    std::vector<std::pair<std::string_view, Json>> members_{};  // of the objects from the root to here, see each_in_order
    Changes changes_;
};

}  // namespace

Changes find_changes(Json old_object, Json new_object, std::string_view kind, std::size_t changes_max) {
    return find_changes_below({}, false, old_object, new_object, kind, changes_max);
}

Changes find_changes_below(std::string path, bool hidden, Json before, Json after, std::string_view kind, std::size_t changes_max) {
    Comparison comparison(kind, std::move(path), changes_max);
    comparison.compare(before, after, hidden);
    return comparison.take();
}

// `value` of something with a name is an environment variable, a header of a probe, a parameter: it may be a secret.
bool hides_value(std::string_view kind, std::string_view path, std::string_view field, Json old_parent, Json new_parent) {
    const bool is_secret = kind.find("Secret") != std::string_view::npos;
    if ((is_secret || kind == "ConfigMap") && (path == ".data" || path == ".stringData" || path == ".binaryData")) return true;
    if (is_secret && kind != "Secret" && path == ".spec") return true;
    if (kind == "HelmRelease" && field == "values") return true;
    if (kind == "Kustomization" && field == "substitute") return true;
    if (field == "command" || field == "args") return true;
    if (field == "value" && (old_parent["name"].is_string() || new_parent["name"].is_string())) return true;
    return speaks_of_a_secret(field);
}

}  // namespace fluxgate::kube
