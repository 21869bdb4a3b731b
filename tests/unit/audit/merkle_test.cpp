#include "audit/merkle.hpp"

#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "audit/tree_edge.hpp"
#include "base/base64.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

std::string text_of(const Hash& hash) { return base64({reinterpret_cast<const char*>(hash.data()), hash.size()}); }

Hash leaf(std::uint64_t index) { return leaf_hash(fmt::format("{{\"record\":{}}}", index)); }

// Every node of a tree of complete subtrees, to read proofs from.
class Nodes {
public:
    explicit Nodes(std::uint64_t leaves) {
        std::vector<Hash> level;
        for (std::uint64_t i = 0; i < leaves; ++i) level.push_back(leaf(i));
        while (!level.empty()) {
            std::vector<Hash> above;
            for (std::size_t i = 0; i + 1 < level.size(); i += 2) above.push_back(node_hash(level[i], level[i + 1]));
            levels_.push_back(std::move(level));
            level = std::move(above);
        }
    }
    ReadNode read() const {
        return [this](unsigned level, std::uint64_t index) -> Result<Hash> { return levels_.at(level).at(index); };
    }
    Hash root(std::uint64_t size) const { return *tree_root(size, read()); }

private:
    std::vector<std::vector<Hash>> levels_;
};

const TreeEdge::UseTile kIgnore = [](unsigned, std::uint64_t, const std::vector<Hash>&) -> Result<void> { return {}; };

void change_one_bit(Hash& hash, testing::Random& random) {
    hash[random.below(hash.size())] ^= static_cast<std::uint8_t>(1u << random.below(8));
}

}  // namespace

TEST_CASE("roots are those that other programs compute") {
    struct Row {
        std::uint64_t size;
        std::string_view root;
    };
    const Row rows[] = {
        {0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},     {1, "R/vdgy5QuqCocEhX/0GkCydKohWYekOhSOkUSS4A60I="},
        {2, "ufmgUBSwxcndU8uDuuNkDOFo5tAc4tpc1dpOtfld09o="},     {3, "bzV0gheMz8C2CNRdAZcrzPFYw+wsS4Es7hbImCUYDMg="},
        {255, "/fP916KHaz0duHu6Thf7cR5q/LkUK7moSURNzRWH4Ew="},   {256, "3JOdk0Bbx+hdhqQ5ZdBFOA6m43W0UqgTlmWHBjtLeJo="},
        {257, "6b/OTLWnQz5Ojg7C515gv+sgEK7R1IWKShYAknk+Qd4="},   {65535, "muXStyShUCitwO3PZhaZjvfJRgOrpYQk2qg1Mjsl+S4="},
        {65536, "4i9iTJFZbrw60ORTknKf+H1Fjo5n4KtCDLt6fsaCsak="}, {65537, "LtToJDbXcCPX0zll99aGv7eNsL1acgrjGxhimcC3fH0="},
        {70000, "RfIxIOZT2TbRcTg9zwF1dR6sFOyOEE/d9FFMAn7YceQ="},
    };
    const Nodes nodes(70'000);
    TreeEdge edge;
    for (const Row& row : rows) {
        INFO(row.size << " entries");
        while (edge.size() < row.size) REQUIRE(edge.add(leaf(edge.size()), kIgnore).has_value());
        CHECK(text_of(edge.root()) == row.root);
        CHECK(text_of(nodes.root(row.size)) == row.root);
    }
}

TEST_CASE("the proof of every entry of every small log holds, and none when anything about it is changed") {
    const Nodes nodes(600);
    testing::Random random(7);
    for (std::uint64_t size = 1; size <= 600; ++size) {
        const Hash root = nodes.root(size);
        for (std::uint64_t index = 0; index < size; ++index) {
            const auto proof = inclusion_proof(index, size, nodes.read());
            if (!proof || !check_inclusion(index, size, leaf(index), root, *proof)) FAIL("entry " << index << " of " << size);
            if (random.below(8) != 0) continue;
            INFO("entry " << index << " of " << size);
            Hash other = leaf(index);
            change_one_bit(other, random);
            CHECK_FALSE(check_inclusion(index, size, other, root, *proof).has_value());
            other = root;
            change_one_bit(other, random);
            CHECK_FALSE(check_inclusion(index, size, leaf(index), other, *proof).has_value());
            CHECK_FALSE(check_inclusion((index + 1) % (size + 1), size, leaf(index), root, *proof).has_value());
            auto changed = *proof;
            changed.push_back(root);
            CHECK_FALSE(check_inclusion(index, size, leaf(index), root, changed).has_value());
            if (proof->empty()) continue;
            changed = *proof;
            change_one_bit(changed[random.below(changed.size())], random);
            CHECK_FALSE(check_inclusion(index, size, leaf(index), root, changed).has_value());
            changed = *proof;
            changed.pop_back();
            CHECK_FALSE(check_inclusion(index, size, leaf(index), root, changed).has_value());
        }
    }
}

TEST_CASE("that a log continues an earlier one is proven for every pair of small logs, and not when anything is changed") {
    const Nodes nodes(600);
    std::vector<Hash> roots;
    for (std::uint64_t size = 0; size <= 600; ++size) roots.push_back(nodes.root(size));
    testing::Random random(11);
    for (std::uint64_t size = 0; size <= 600; ++size) {
        for (std::uint64_t old_size = 0; old_size <= size; ++old_size) {
            const auto proof = consistency_proof(old_size, size, nodes.read());
            if (!proof || !check_consistency(old_size, size, roots[old_size], roots[size], *proof)) FAIL(old_size << " to " << size);
            if (random.below(8) != 0) continue;
            INFO(old_size << " to " << size);
            Hash other = roots[old_size];
            change_one_bit(other, random);
            CHECK_FALSE(check_consistency(old_size, size, other, roots[size], *proof).has_value());
            auto changed = *proof;
            changed.push_back(other);
            CHECK_FALSE(check_consistency(old_size, size, roots[old_size], roots[size], changed).has_value());
            if (old_size == 0) continue;  // every tree continues the empty one
            other = roots[size];
            change_one_bit(other, random);
            CHECK_FALSE(check_consistency(old_size, size, roots[old_size], other, *proof).has_value());
            if (proof->empty()) continue;
            changed = *proof;
            change_one_bit(changed[random.below(changed.size())], random);
            CHECK_FALSE(check_consistency(old_size, size, roots[old_size], roots[size], changed).has_value());
            changed = *proof;
            changed.pop_back();
            CHECK_FALSE(check_consistency(old_size, size, roots[old_size], roots[size], changed).has_value());
        }
    }
}

TEST_CASE("proofs of what is not there are refused") {
    const Nodes nodes(10);
    CHECK(inclusion_proof(10, 10, nodes.read()).error().code == Errc::invalid_argument);
    CHECK(inclusion_proof(0, 0, nodes.read()).error().code == Errc::invalid_argument);
    CHECK(consistency_proof(8, 7, nodes.read()).error().code == Errc::invalid_argument);
    CHECK(check_inclusion(10, 10, leaf(9), nodes.root(10), {}).error().code == Errc::contradictory);
    CHECK(check_consistency(8, 7, nodes.root(8), nodes.root(7), {}).error().code == Errc::contradictory);
    CHECK(check_consistency(0, 7, nodes.root(1), nodes.root(7), {}).error().code == Errc::contradictory);
    CHECK(check_consistency(0, 0, empty_root(), nodes.root(1), {}).error().code == Errc::contradictory);
}

TEST_CASE("a node that cannot be read ends a proof with that error") {
    const ReadNode broken = [](unsigned, std::uint64_t) -> Result<Hash> { return fail(Errc::io, "the tile is missing", "tile/0/000"); };
    CHECK(tree_root(3, broken).error().where == "tile/0/000");
    CHECK(inclusion_proof(1, 3, broken).error().where == "tile/0/000");
    CHECK(consistency_proof(1, 3, broken).error().where == "tile/0/000");
}

TEST_CASE("an entry is never taken for a node of the tree") {
    const std::string both(64, 'x');
    Hash half{};
    half.fill('x');
    CHECK(leaf_hash(both) != node_hash(half, half));
}
