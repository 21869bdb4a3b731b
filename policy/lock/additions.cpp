#include "policy/lock/additions.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::size_t kStepsMax = 64;  // real paths have fewer than 20

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
    std::string copy(text);
    std::transform(copy.begin(), copy.end(), copy.begin(), [](char c) { return lower(c); });
    return copy;
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// "x.fluxcd.io" and "fluxcd.io" are in the domain "fluxcd.io".
bool is_in_domain(std::string_view name, std::string_view domain) {
    return name.ends_with(domain) && (name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.');
}

// One step of a path after the other. `error` says what was expected where.
class PathReader {
public:
    explicit PathReader(std::string_view text) : text_(text) {}

    bool at_end() const { return at_ == text_.size(); }
    bool take(std::string_view token) {
        if (!text_.substr(at_).starts_with(token)) return false;
        at_ += token.size();
        return true;
    }
    std::string_view name() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
        return text_.substr(begin, at_ - begin);
    }
    // Without its quotes; `\"` and `\\` are the characters themselves.
    std::optional<std::string> quoted() {
        if (!take("\"")) return std::nullopt;
        std::string out;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') {
                ++at_;
                return out;
            }
            if (text_[at_] == '\\' && ++at_ == text_.size()) break;
            out += text_[at_];
        }
        return std::nullopt;
    }
    tl::unexpected<Error> error(std::string_view expected) const {
        return fail(Errc::invalid_policy,
                    fmt::format("{} is no field path: expected {} at character {}", kube::quoted(text_), expected, at_ + 1));
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

bool same_without_case(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char l, char r) { return lower(l) == lower(r); });
}

bool steers_flux(std::string_view key) {
    if (std::any_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) return true;
    const std::string folded = lower(key.substr(0, key.find('/')));
    // It only asks Flux to reconcile.
    if (folded == "reconcile.fluxcd.io") return false;
    constexpr std::array<std::string_view, 3> kDomains{"fluxcd.io", "fluxcd.controlplane.io", "meta.helm.sh"};
    return std::any_of(kDomains.begin(), kDomains.end(), [&](std::string_view domain) { return is_in_domain(folded, domain); });
}

bool is_flux_group(std::string_view group) {
    constexpr std::array<std::string_view, 3> kDomains{"fluxcd.io", "fluxcd.controlplane.io", "clusterconfig.azure.com"};
    return std::any_of(kDomains.begin(), kDomains.end(), [&](std::string_view domain) { return is_in_domain(group, domain); });
}

Result<AllowedPath> AllowedPath::compile(std::string_view text) {
    AllowedPath path;
    path.text_ = text;
    PathReader reader(text);
    if (text == "." || text.empty())
        return fail(Errc::invalid_policy, "everything cannot be allowed; name the fields, such as .spec.replicas");
    const auto name_of = [&](std::string_view name) { return Glob::compile(name, Glob::Alphabet::identities); };
    const auto any = name_of("*");
    while (!reader.at_end()) {
        if (path.steps_.size() == kStepsMax) return reader.error("at most 64 steps");
        if (reader.take(".")) {
            const auto name = name_of(reader.name());
            if (!name) return reader.error("a field name (a name with other characters stands in brackets and quotes: [\"a.b/c\"])");
            path.steps_.push_back({Step::Kind::field, {}, *name});
        } else if (path.steps_.empty()) {
            return reader.error("a dot");
        } else if (reader.take("[*]")) {
            path.steps_.push_back({Step::Kind::any_item, {}, *any});
        } else if (reader.take("[")) {
            const std::string key(reader.name());
            if (!key.empty() && !reader.take("=")) return reader.error("= and a value in quotes ([0] would be another item tomorrow)");
            const auto value = reader.quoted();
            if (!value) return reader.error("a name in quotes, or *");
            const auto name = name_of(*value);
            if (!name || !reader.take("]")) return reader.error("a name of 1 to 1,024 characters and ]");
            path.steps_.push_back({key.empty() ? Step::Kind::field : Step::Kind::item, key, *name});
        } else {
            return reader.error(". or [");
        }
    }
    // A pattern at the top could mean metadata.
    const auto named = [&](std::size_t at, std::string_view field) { return path.leads_to(at, field); };
    for (const std::string_view field : {"apiVersion", "kind"}) {
        if (named(0, field)) return fail(Errc::invalid_policy, fmt::format("{} is never an addition", field));
    }
    if (!named(0, "metadata")) return path;
    const bool keys = path.steps_[0].name.text() == "metadata" && path.length() > 1 && path.steps_[1].kind == Step::Kind::field &&
                      (path.steps_[1].name.text() == "labels" || path.steps_[1].name.text() == "annotations");
    if (!keys) {
        return fail(
            Errc::invalid_policy,
            "of metadata only labels and annotations can be additions; ownerReferences, finalizers, managedFields and the rest never are");
    }
    if (path.length() == 2) return path;
    if (path.length() > 3 || path.steps_[2].kind != Step::Kind::field) return reader.error("one key of labels or annotations");
    const std::string& key = path.steps_[2].name.text();
    const std::string folded = lower(key);
    const bool speaks_of_flux = folded.find("fluxcd") != std::string::npos || folded.find("helm.sh") != std::string::npos;
    if (steers_flux(key) || (speaks_of_flux && key.find('*') < key.find('/'))) {
        return fail(Errc::invalid_policy,
                    fmt::format("{} steers Flux or says whose the object is, and is never an addition", kube::quoted(key)));
    }
    return path;
}

bool AllowedPath::leads_to(std::size_t at, std::string_view field) const {
    return steps_[at].kind == Step::Kind::field && steps_[at].name.matches(field);
}

bool AllowedPath::leads_to(std::size_t at, kube::Json item_before, kube::Json item_after) const {
    const Step& step = steps_[at];
    if (step.kind == Step::Kind::any_item) return true;
    if (step.kind != Step::Kind::item) return false;
    const auto before = item_before[step.key].string();
    // Who renames an item has not changed the one that is meant.
    return before && item_after[step.key].string() == before && step.name.matches(*before);
}

Additions Additions::decode(Mapping& fields) {
    Additions additions;
    if (const kube::Node* action = fields.field("action"))
        additions.warn = one_of(*action, fields.name_of("action"), {"Deny", "Warn"}, fields.problems()) == 1;
    fields.each("allow", [&](const kube::Node& item, const std::string& what) {
        const auto refuse = [&](Errc code, std::string_view message) {
            fields.problems().add(code, item.position(), fmt::format("{}: {}", what, message));
        };
        if (item.kind() != kube::Node::Kind::string)
            return refuse(Errc::wrong_type, fmt::format("expected a field path in quotes, have {}", kube::describe(item.kind())));
        auto path = AllowedPath::compile(item.text());
        if (!path) return refuse(Errc::invalid_policy, path.error().message);
        if (additions.allow.size() == kAllowMax) return refuse(Errc::invalid_policy, "at most 64 paths");
        additions.allow.push_back(*std::move(path));
    });
    fields.finish();
    return additions;
}

namespace {

// f(bit, path) for each path of the mask.
template <class F>
void each_path(const std::vector<AllowedPath>& allow, Additions::Mask mask, F&& f) {
    for (; mask != 0; mask &= mask - 1) f(mask & -mask, allow[static_cast<std::size_t>(std::countr_zero(mask))]);
}

}  // namespace

Additions::Mask Additions::into(Mask mask, std::size_t depth, std::string_view field) const {
    Mask next = 0;
    each_path(allow, mask, [&](Mask bit, const AllowedPath& path) {
        if (depth < path.length() && path.leads_to(depth, field)) next |= bit;
    });
    return next;
}

Additions::Mask Additions::into(Mask mask, std::size_t depth, kube::Json item_before, kube::Json item_after) const {
    Mask next = 0;
    each_path(allow, mask, [&](Mask bit, const AllowedPath& path) {
        if (depth < path.length() && path.leads_to(depth, item_before, item_after)) next |= bit;
    });
    return next;
}

bool Additions::any_ends(Mask mask, std::size_t depth) const {
    bool ends = false;
    each_path(allow, mask, [&](Mask, const AllowedPath& path) { ends = ends || path.length() == depth; });
    return ends;
}

bool Additions::any_ends_with_any_item(Mask mask, std::size_t depth) const {
    bool ends = false;
    each_path(allow, mask,
              [&](Mask, const AllowedPath& path) { ends = ends || (path.length() == depth + 1 && path.leads_to_any_item(depth)); });
    return ends;
}

}  // namespace fluxgate::policy
