// Whatever is changed in an audit folder, verification finds it, and names the file or the entry.

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "audit/verify.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/random.hpp"
#include "tests/unit/audit/log_maker.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::event;
using audit::testing::LogMaker;
using audit::testing::MemoryDisk;
using audit::testing::review;
using std::chrono::seconds;

namespace {

struct Original {
    MemoryDisk disk;
    VerifierKey key{};
};

// As a server leaves it: all published, superseded partial files still there, two blobs, an epoch before.
Original made(bool pruned) {
    Original log;
    LogMaker maker(log.disk);
    const SignerKey old_key = *SignerKey::generate("fluxgate/test/fluxgate-0/0");
    const std::string old_checkpoint = *sign_checkpoint(0, empty_root(), old_key);
    if (!pruned) maker.put("epochs/1/checkpoint", old_checkpoint);
    Record begun = event("epoch-begun");
    begun.facts = {{"checkpoint", old_checkpoint}, {"reason", "the disk was lost"}};
    Record with_set = review(seconds(1));
    with_set.policy_set = *store_blob(log.disk, "the policy set");
    Record large = review(seconds(2));
    large.user_uid = std::string(49'000, 'u');
    maker.append({pruned ? event("started") : begun, review(seconds(1)), review(seconds(2))});
    maker.publish();
    for (int batch = 0; batch < 52; ++batch) maker.append(std::vector<Record>(5, review(seconds(3))));
    Record retention = event("retention-applied", seconds(4));
    if (pruned) retention.counters = {{"minimumIndex", 256}};
    maker.append({with_set, large, retention});
    maker.publish();
    if (pruned) {
        maker.put("minimum-index", "256\n");
        for (const char* gone : {"tile/entries/000", "tile/entries/000.p/3"}) log.disk.files.erase(gone);
    }
    log.key = maker.key().verifier();
    return log;
}

struct Tampering {
    std::string what{};
    std::vector<std::string> files{};  // one of them must be named
    bool note_will_do = false;
    bool in_the_write_ahead_log = false;  // any of its files may be named
};

std::string path_of(fluxgate::testing::Random& random, const MemoryDisk& disk) {
    auto file = disk.files.begin();
    std::advance(file, random.below(disk.files.size()));
    return file->first;
}

std::size_t used_bytes(const std::string& bytes) { return bytes.find_last_not_of('\0') + 1; }

bool is_superseded(const std::string& path) { return path.ends_with("000.p/3"); }

// False: this change is none.
bool tamper(MemoryDisk& disk, fluxgate::testing::Random& random, Tampering& done) {
    const std::string path = path_of(random, disk);
    std::string& bytes = *disk.files[path];
    const bool in_wal = path.starts_with("wal/");
    done.files = {path};
    switch (random.below(6)) {
        case 0: {
            const std::size_t at = random.below(bytes.size());
            done.what = fmt::format("byte {} of {}", at, path);
            done.note_will_do = in_wal && at >= used_bytes(bytes);  // of no record
            bytes[at] = static_cast<char>(bytes[at] ^ (1 + random.below(255)));
            return true;
        }
        case 1: {
            done.what = "removed " + path;
            // What may go: segments whose records are published, from the oldest on; partial files that were replaced; the public key's copy.
            if (is_superseded(path) || path == disk.files.lower_bound("wal/")->first) return false;
            done.note_will_do = path == "log.vkey";
            done.in_the_write_ahead_log = in_wal;
            disk.files.erase(path);
            return true;
        }
        case 2: {
            const std::size_t size = random.below(in_wal ? used_bytes(bytes) : bytes.size());
            done.what = fmt::format("{} cut to {} bytes", path, size);
            bytes.resize(size);
            return true;
        }
        case 3: {
            const std::string other = path_of(random, disk);
            if (bytes == *disk.files[other]) return false;
            done.what = path + " and " + other + " exchanged";
            done.files.push_back(other);
            std::swap(bytes, *disk.files[other]);
            return true;
        }
        case 4: {
            done.what = "a byte behind " + path;
            done.note_will_do = in_wal;
            bytes += 'x';
            return true;
        }
        default: {
            done.what = "entries exchanged in " + path;
            const std::size_t width = path.ends_with("/001.p/10") ? 10 : path.ends_with(".p/3") ? 3 : 256;
            if (!path.starts_with("tile/entries/")) return false;
            const std::string original = bytes;
            auto views = *entries_of(original, width);
            const std::size_t one = random.below(width);
            const std::size_t other = random.below(width);
            if (views[one] == views[other]) return false;
            std::swap(views[one], views[other]);
            std::string changed;
            for (const std::string_view view : views) add_to_bundle(changed, view);
            bytes = changed;
            return true;
        }
    }
}

bool names(const Finding& finding, const Tampering& done) {
    const auto in = [&](const std::string& text) {
        return finding.where.find(text) != std::string::npos || finding.message.find(text) != std::string::npos;
    };
    if (done.in_the_write_ahead_log && in("wal/")) return true;
    return std::any_of(done.files.begin(), done.files.end(), [&](const std::string& path) {
        // A missing blob is named by its digest.
        return in(path.starts_with("blobs/") ? path.substr(path.rfind('/') + 1) : path);
    });
}

std::string findings_of(const Verification& found) {
    std::string text;
    for (const Finding& finding : found.findings.kept()) text += finding.where + ": " + finding.message + "\n";
    return text;
}

}  // namespace

TEST_CASE("every change of a log is found, and the file or the entry is named") {
    const std::uint64_t first_seed = fluxgate::testing::number_from_environment("FLUXGATE_SEED", 1);
    const std::uint64_t seeds = fluxgate::testing::number_from_environment("FLUXGATE_SEEDS", 10'000);
    for (const bool pruned : {false, true}) {
        const Original original = made(pruned);
        MemoryDisk untouched(original.disk);
        REQUIRE(findings_of(*verify_log(untouched, {.key = original.key})).find("error") == std::string::npos);
        REQUIRE(verify_log(untouched, {.key = original.key})->good());
    }
    const Original originals[] = {made(false), made(true)};
    std::uint64_t changes = 0;
    for (std::uint64_t seed = first_seed; changes < seeds; ++seed) {
        fluxgate::testing::Random random(seed);
        const Original& original = originals[seed % 2];
        MemoryDisk disk(original.disk);
        Tampering done;
        if (!tamper(disk, random, done)) continue;
        ++changes;
        const auto found = verify_log(disk, {.key = original.key});
        REQUIRE(found.has_value());
        const auto& kept = found->findings.kept();
        const bool named = std::any_of(kept.begin(), kept.end(), [&](const Finding& finding) {
            return (done.note_will_do || finding.level == Finding::Level::error) && names(finding, done);
        });
        if (named) continue;
        INFO("seed " << seed << ": " << done.what << "\n" << findings_of(*found));
        CHECK(named);
    }
}
