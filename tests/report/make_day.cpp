// Writes the audit folder of a recorded day (tests/support/recorded_day.hpp), signed by a new key: what `fluxgate audit` reads in
// tests/report/run, and for looking at.
//
//   make_day DIR [SEED]     DIR must not be there yet; the period is 2026-11-20

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

#include "audit/blobs.hpp"
#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/layout.hpp"
#include "audit/signing_key.hpp"
#include "tests/support/recorded_day.hpp"

namespace {

using namespace fluxgate;

Result<audit::Checkpoint> write_day(const std::filesystem::path& directory, std::uint64_t seed) {
    const std::vector<std::string> texts = testing::texts_of(testing::recorded_day({.seed = seed}));
    const std::vector<std::string_view> entries(texts.begin(), texts.end());
    const auto disk = audit::make_posix_disk(directory);
    if (const auto taken = disk->take(); !taken) return tl::unexpected(taken.error());
    for (const std::string_view set : testing::kPolicySets) {
        if (const auto stored = audit::store_blob(*disk, set); !stored) return tl::unexpected(stored.error());
    }
    auto key = audit::SigningKey::open_or_make(directory / audit::kSignerKeyPath, "fluxgate/prod-we-1/recorded-day/1");
    if (!key) return tl::unexpected(key.error());
    auto integrator = audit::Integrator::open(*disk, *std::move(key));
    if (!integrator) return tl::unexpected(integrator.error());
    return (*integrator)->append(entries);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: make_day DIR [SEED]\n";
        return 2;
    }
    const auto checkpoint = write_day(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
    if (!checkpoint) {
        std::cerr << to_string(checkpoint.error()) << '\n';
        return 2;
    }
    std::cout << checkpoint->size << " records\n";
    return 0;
}
