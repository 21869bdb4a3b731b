// Bytes → what a stranger's provable log may hold: checkpoints, statements of key rotation, entry bundles. What is accepted has one form.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/checkpoint.hpp"
#include "audit/signing_key.hpp"
#include "audit/tiles.hpp"
#include "tests/fuzz/require.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

void try_as_checkpoint(std::string_view bytes) {
    const auto checkpoint = Checkpoint::parse(bytes);
    if (checkpoint) FLUXGATE_REQUIRE(checkpoint->text() == bytes);
    if (!checkpoint) FLUXGATE_REQUIRE(!checkpoint.error().message.empty());
    // The verifier key of C2SP's example: nobody here can sign with it.
    static const VerifierKey key = *VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    FLUXGATE_REQUIRE(!open_checkpoint(bytes, key).has_value());
}

void try_as_rotation(std::string_view bytes) {
    const auto rotation = KeyRotation::parse(bytes);
    if (!rotation) return;
    FLUXGATE_REQUIRE(rotation->from != rotation->to);
    FLUXGATE_REQUIRE(rotation->from.name == rotation->to.name);
    FLUXGATE_REQUIRE(KeyRotation::parse(rotation->note) == *rotation);
}

void try_as_bundle(std::string_view bytes) {
    for (std::uint64_t width = 0; width <= kTileWidth; ++width) {
        const auto entries = entries_of(bytes, width);
        if (!entries) continue;
        FLUXGATE_REQUIRE(entries->size() == width);
        std::string again;
        for (const std::string_view entry : *entries) add_to_bundle(again, entry);
        FLUXGATE_REQUIRE(again == bytes);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try_as_checkpoint(bytes);
    try_as_rotation(bytes);
    try_as_bundle(bytes);
    return 0;
}
