#include "audit/checkpoint.hpp"

#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

constexpr std::string_view kRoot = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

SignerKey key_named(const std::string& name) { return *SignerKey::generate(name); }

}  // namespace

TEST_CASE("a checkpoint that is signed can be opened with the verifier key, and is what was signed") {
    const SignerKey key = key_named("fluxgate/prod/fluxgate-0/1");
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{70'000}, ~std::uint64_t{0}}) {
        const Hash root = leaf_hash(std::to_string(size));
        const auto note = sign_checkpoint(size, root, key);
        REQUIRE(note.has_value());
        const auto opened = open_checkpoint(*note, key.verifier());
        REQUIRE(opened.has_value());
        CHECK(*opened == Checkpoint{"fluxgate/prod/fluxgate-0/1", size, root});
    }
}

TEST_CASE("the text of a checkpoint is taken in one form only") {
    struct Row {
        std::string_view name;
        std::string text;
        bool good = false;
    };
    const std::string root(kRoot);
    const Row rows[] = {
        {"as it is written", "log\n12\n" + root + "\n", true},
        {"of an empty log", "log\n0\n" + root + "\n", true},
        {"without an origin", "\n12\n" + root + "\n"},
        {"without a size", "log\n\n" + root + "\n"},
        {"a size with a leading zero", "log\n012\n" + root + "\n"},
        {"a size with a sign", "log\n+12\n" + root + "\n"},
        {"a negative size", "log\n-1\n" + root + "\n"},
        {"a size in hexadecimal", "log\n0x12\n" + root + "\n"},
        {"a size beyond 64 bits", "log\n18446744073709551616\n" + root + "\n"},
        {"a size with a space", "log\n12 \n" + root + "\n"},
        {"without a root", "log\n12\n\n"},
        {"a root of 31 bytes", "log\n12\nR/vdgy5QuqCocEhX/0GkCydKohWYekOhSOkUSS4A6w==\n"},
        {"a root without padding", "log\n12\n" + root.substr(0, 43) + "\n"},
        {"without the last line feed", "log\n12\n" + root},
        {"with an extension line", "log\n12\n" + root + "\nmore\n"},
        {"without the line of the root", "log\n12\n"},
        {"nothing", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto parsed = Checkpoint::parse(row.text);
        CHECK(parsed.has_value() == row.good);
        if (parsed) CHECK(parsed->text() == row.text);
        if (!parsed) CHECK(parsed.error().code == Errc::invalid_argument);
    }
}

TEST_CASE("a checkpoint that the key did not sign is refused") {
    const SignerKey key = key_named("log");
    const SignerKey same_name = key_named("log");
    const SignerKey other = key_named("other");
    const Checkpoint checkpoint{.origin = "log", .size = 12, .root = leaf_hash("x")};
    struct Row {
        std::string_view name;
        std::string note;
        Errc code;
    };
    const Row rows[] = {
        {"signed by another key of that name", *sign_checkpoint(12, leaf_hash("x"), same_name), Errc::contradictory},
        {"signed by another log", *sign_checkpoint(12, leaf_hash("x"), other), Errc::contradictory},
        {"an origin that is not the name of the key", *sign_note(Checkpoint{"else", 12, leaf_hash("x")}.text(), key), Errc::contradictory},
        {"no signature", checkpoint.text(), Errc::invalid_argument},
        {"signed, but no checkpoint", *sign_note("hello\n", key), Errc::invalid_argument},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto opened = open_checkpoint(row.note, key.verifier());
        REQUIRE_FALSE(opened.has_value());
        CHECK(opened.error().code == row.code);
    }
}

TEST_CASE("any changed byte of a checkpoint is noticed") {
    const SignerKey key = key_named("fluxgate/prod/fluxgate-0/1");
    const std::string note = *sign_checkpoint(70'000, leaf_hash("x"), key);
    testing::Random random(3);
    for (std::size_t at = 0; at < note.size(); ++at) {
        std::string changed = note;
        changed[at] = static_cast<char>(changed[at] ^ (1 << random.below(8)));
        INFO("byte " << at);
        CHECK_FALSE(open_checkpoint(changed, key.verifier()).has_value());
    }
    for (std::size_t length = 0; length < note.size(); ++length) {
        INFO("the first " << length << " bytes");
        CHECK_FALSE(open_checkpoint(note.substr(0, length), key.verifier()).has_value());
    }
}
