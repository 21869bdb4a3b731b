#pragma once

// Finds the policies that can concern a review without looking at the others: one bit a policy, kept by resource and by
// namespace, so that a thousand policies for other namespaces or kinds cost next to nothing. What it finds still has to pass
// `Match::matches`; what it leaves out never would.
// Built once from all policies; immutable; any number of threads may share it.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kube/admission_review.hpp"

namespace fluxgate::policy {

struct Policy;

class Index {
public:
    Index() = default;
    explicit Index(const std::vector<Policy>& policies);

    // f(std::size_t policy) for every policy that may match, in their order. Allocates nothing.
    template <class F>
    void each_candidate(const kube::Review& review, F&& f) const {
        const std::uint64_t* const by_resource = of_resource(review.resource.group, review.resource.resource);
        Namespaces by_namespace;
        find_namespaces(review.namespace_name, by_namespace);
        for (std::size_t word = 0; word < words_; ++word) {
            std::uint64_t found = 0;
            for (std::size_t i = 0; i < by_namespace.count; ++i) found |= by_namespace.bits[i][word];
            found &= by_resource[word];
            for (; found != 0; found &= found - 1) f(word * 64 + static_cast<std::size_t>(std::countr_zero(found)));
        }
    }

private:
    using Bits = std::vector<std::uint64_t>;
    // Names are looked up by views.
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using ByName = std::unordered_map<std::string, Bits, Hash, std::equal_to<>>;

    // Of one namespace: those that name none or by a pattern that needs a closer look, those that name it, and those that name a
    // prefix of it, at most one entry for each length a name can have.
    static constexpr std::size_t kNameBytesMax = 63;
    struct Namespaces {
        std::array<const std::uint64_t*, kNameBytesMax + 3> bits;
        std::size_t count = 0;
    };

    const std::uint64_t* of_resource(std::string_view group, std::string_view resource) const;
    void find_namespaces(std::string_view name, Namespaces& found) const;
    void set(Bits& bits, std::size_t policy) const;

    std::size_t words_ = 0;
    ByName by_resource_;    // resource and group that a policy or rule names
    Bits other_resources_;  // every other resource
    ByName by_namespace_;   // whole names
    ByName by_prefix_;      // "prod-" of "prod-*"
    std::vector<std::size_t> prefix_lengths_;
    Bits any_namespace_;
};

}  // namespace fluxgate::policy
