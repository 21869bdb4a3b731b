// Writes the audit folder of a recorded day (tests/support/recorded_day.hpp), or of as many as hold so many records, signed by a new key:
// what `fluxgate audit` reads in tests/report/run and tests/bench/run, and for looking at.
//
//   make_day DIR [SEED [RECORDS]]     DIR must not be there yet; the first day is 2026-11-20

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/blobs.hpp"
#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/layout.hpp"
#include "audit/signing_key.hpp"
#include "tests/support/recorded_day.hpp"

namespace {

using namespace fluxgate;

// One day after another, each replica counting on.
class Days {
public:
    explicit Days(std::uint64_t seed) : next_{.seed = seed} {}

    std::vector<std::string> next() {
        std::vector<audit::Record> records = testing::recorded_day(next_);
        for (audit::Record& record : records) record.sequence = ++sequences_[record.replica];
        ++next_.seed;
        next_.begin += std::chrono::hours(24);
        return testing::texts_of(records);
    }

private:
    testing::DayOptions next_;
    std::map<std::string, std::uint64_t> sequences_{};
};

Result<audit::Checkpoint> write_days(const std::filesystem::path& directory, std::uint64_t seed, std::uint64_t records) {
    const auto disk = audit::make_posix_disk(directory);
    if (const auto taken = disk->take(); !taken) return tl::unexpected(taken.error());
    for (const std::string_view set : testing::kPolicySets) {
        if (const auto stored = audit::store_blob(*disk, set); !stored) return tl::unexpected(stored.error());
    }
    auto key = audit::SigningKey::open_or_make(directory / audit::kSignerKeyPath, "fluxgate/prod-we-1/recorded-day/1");
    if (!key) return tl::unexpected(key.error());
    auto integrator = audit::Integrator::open(*disk, *std::move(key));
    if (!integrator) return tl::unexpected(integrator.error());
    Days days(seed);
    while (true) {
        const std::vector<std::string> texts = days.next();
        const std::vector<std::string_view> entries(texts.begin(), texts.end());
        const auto checkpoint = (*integrator)->append(entries);
        if (!checkpoint || checkpoint->size >= records) return checkpoint;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int at, std::uint64_t otherwise) { return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise; };
    if (argc < 2) {
        std::cerr << "usage: make_day DIR [SEED [RECORDS]]\n";
        return 2;
    }
    const auto checkpoint = write_days(argv[1], number(2, 1), number(3, 1));
    if (!checkpoint) {
        std::cerr << to_string(checkpoint.error()) << '\n';
        return 2;
    }
    std::cout << checkpoint->size << " records\n";
    return 0;
}
