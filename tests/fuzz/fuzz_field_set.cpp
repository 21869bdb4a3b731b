// Bytes → FieldSet. What is accepted must survive being written, in content and in bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kube/field_set.hpp"
#include "tests/fuzz/require.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

std::size_t walk(FieldSet::Node node, std::size_t depth) {
    FLUXGATE_REQUIRE(depth <= Limits{}.field_set_depth_max);
    std::size_t declared = 0;
    const PathElement* previous = nullptr;
    PathElement last;
    for (const FieldSet::Node child : node) {
        const PathElement element = child.element();
        FLUXGATE_REQUIRE(previous == nullptr || *previous < element);
        FLUXGATE_REQUIRE(!child.is_leaf() || child.declared());
        last = element;
        previous = &last;
        declared += (child.declared() ? 1 : 0) + walk(child, depth + 1);
    }
    return declared;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<FieldSet> set = FieldSet::parse(text, Limits{});
    if (!set) {
        FLUXGATE_REQUIRE(!set.error().message.empty());
        return 0;
    }
    const std::string written = set->to_json();
    const Result<FieldSet> again = FieldSet::parse(written, Limits{});
    FLUXGATE_REQUIRE(again.has_value());
    FLUXGATE_REQUIRE(*again == *set);
    FLUXGATE_REQUIRE(again->to_json() == written);

    const std::size_t declared = walk(set->root(), 0);
    FLUXGATE_REQUIRE(set->empty() == (declared == 0));
    constexpr std::size_t kPathsMax = 100;
    FLUXGATE_REQUIRE(set->paths(kPathsMax).size() == std::min(declared, kPathsMax));

    // Any JSON is an item that an element may be asked about.
    JsonReader reader{Limits{}};
    const std::string padded = with_slack(text);
    const Result<Json> item = reader.read(padded);
    if (item && !set->empty()) selects((*set->root().begin()).element(), *item);
    return 0;
}
