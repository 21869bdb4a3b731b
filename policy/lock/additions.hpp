#pragma once

// Which fields that Git does not declare somebody who is no writer may add, change or remove: `additions` of a field lock.
//
// Paths are written as people write them: `.metadata.annotations["team.example.com/*"]`, `.spec.replicas`,
// `.spec.containers[*].resources`, `.spec.containers[name="web"].resources`. A path covers all beneath it; `*` stands for any
// run of characters, only inside quotes; `[*]` is any item of a list, `[name="web"]` the items with that member. Compiled
// once; any number of threads may read it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.hpp"
#include "policy/decode.hpp"
#include "policy/glob.hpp"

namespace fluxgate::policy {

// Of ASCII letters.
bool same_without_case(std::string_view left, std::string_view right);

// Labels and annotations that steer Flux, or say to which Kustomization or release an object belongs. They are compared
// without case, as Flux does; a key with a character outside ASCII counts too, because some become ASCII when Flux folds
// their case (U+212A, the sign for kelvin, becomes "k").
bool steers_flux(std::string_view key);

// The API groups of Flux, of its operator and of AKS's Flux extension: what their objects say is what the cluster becomes.
bool is_flux_group(std::string_view group);

// A path of `additions.allow`.
class AllowedPath {
public:
    // Errc::invalid_policy for a text that is no path, and for one that names what is never an addition: everything, the
    // object's identity, metadata other than labels and annotations, keys that steer Flux.
    static Result<AllowedPath> compile(std::string_view text);

    std::size_t length() const { return steps_.size(); }
    const std::string& text() const { return text_; }

    // Does step `at` lead to this member of an object? To this item of a list, which is the same in both states?
    bool leads_to(std::size_t at, std::string_view field) const;
    bool leads_to(std::size_t at, kube::Json item_before, kube::Json item_after) const;
    bool leads_to_any_item(std::size_t at) const { return steps_[at].kind == Step::Kind::any_item; }

private:
    struct Step {
        enum class Kind : std::uint8_t { field, any_item, item };
        Kind kind = Kind::field;
        std::string key{};  // of an item: the member
        Glob name;          // of a field; of an item: the member's value
    };

    std::string text_;
    std::vector<Step> steps_;
};

struct Additions {
    // Which paths are still possible at a place, a bit each.
    using Mask = std::uint64_t;
    static constexpr std::size_t kAllowMax = 64;

    bool warn = false;  // `action: Warn`: what `allow` does not name passes too, with a warning
    std::vector<AllowedPath> allow;

    static Additions decode(Mapping& fields);

    // Of the paths in `mask`, which agree so far, down to `depth` steps: those that go on to this member or item, those that
    // end here, and those that go on to any item.
    Mask into(Mask mask, std::size_t depth, std::string_view field) const;
    Mask into(Mask mask, std::size_t depth, kube::Json item_before, kube::Json item_after) const;
    bool any_ends(Mask mask, std::size_t depth) const;
    bool any_ends_with_any_item(Mask mask, std::size_t depth) const;
    Mask all() const { return allow.empty() ? 0 : ~Mask{0} >> (kAllowMax - allow.size()); }
};

}  // namespace fluxgate::policy
