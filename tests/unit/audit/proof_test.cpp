#include "audit/proof.hpp"

#include <functional>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/unit/audit/log_maker.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::LogMaker;
using audit::testing::MemoryDisk;
using audit::testing::review;

TEST_CASE("every record of a log is proven, and the proof holds for no other text, index or key") {
    MemoryDisk disk;
    LogMaker log(disk);
    std::vector<Record> records;
    for (int i = 0; i < 300; ++i) records.push_back(review(std::chrono::seconds(i)));
    log.append(records);
    log.publish();
    const VerifierKey key = log.key().verifier();
    const VerifierKey stranger = SignerKey::generate(std::string(testing::kOrigin))->verifier();
    for (const std::uint64_t index : {0, 1, 255, 256, 299}) {
        INFO(index);
        const auto proven = prove_record(disk, index);
        REQUIRE((proven ? "" : to_string(proven.error())) == "");
        CHECK(proven->record == log.text(index));
        const auto parsed = LogProof::parse(proven->proof.text());
        REQUIRE(parsed);
        CHECK(parsed->text() == proven->proof.text());
        REQUIRE(check_proof(*parsed, proven->record, key));
        CHECK(check_proof(*parsed, proven->record, key)->size == 300);
        CHECK_FALSE(check_proof(*parsed, proven->record + " ", key));
        CHECK_FALSE(check_proof(*parsed, log.text((index + 1) % 300), key));
        CHECK_FALSE(check_proof(*parsed, proven->record, stranger));
        LogProof other = *parsed;
        other.index = (index + 1) % 300;
        CHECK_FALSE(check_proof(other, proven->record, key));
        other.index = 300;
        CHECK_FALSE(check_proof(other, proven->record, key));
        // Unauthenticated extra data is read past.
        std::string with_extra = proven->proof.text();
        with_extra.insert(with_extra.find("index "), "extra aGVsbG8=\n");
        REQUIRE(LogProof::parse(with_extra));
        CHECK(LogProof::parse(with_extra)->text() == proven->proof.text());
    }
    CHECK(prove_record(disk, 300).error().code == Errc::invalid_argument);
    disk.files["minimum-index"] = "256\n";
    CHECK(prove_record(disk, 255).error().code == Errc::invalid_argument);
    MemoryDisk empty;
    CHECK(prove_record(empty, 0).error().code == Errc::invalid_argument);
}

TEST_CASE("a folder that does not hold together gives no proof") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(std::vector<Record>(3, review()));
    log.publish();
    std::string& bundle = *disk.files["tile/entries/000.p/3"];
    bundle[10] = static_cast<char>(bundle[10] ^ 1);
    CHECK(prove_record(disk, 0).error().code == Errc::contradictory);
}

TEST_CASE("what is no proof file is refused") {
    const std::string hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    struct Row {
        const char* name;
        std::string text;
    };
    const Row rows[] = {
        {"nothing", ""},
        {"another version", "c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n"},
        {"no index", "c2sp.org/tlog-proof@v1\n" + hash + "\ncheckpoint\n"},
        {"an index with a zero in front", "c2sp.org/tlog-proof@v1\nindex 07\n\ncheckpoint\n"},
        {"a negative index", "c2sp.org/tlog-proof@v1\nindex -1\n\ncheckpoint\n"},
        {"extra data that is no base64", "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\ncheckpoint\n"},
        {"a line that is no hash", "c2sp.org/tlog-proof@v1\nindex 0\naGVsbG8=\n\ncheckpoint\n"},
        {"no empty line", "c2sp.org/tlog-proof@v1\nindex 0\n" + hash},
        {"no checkpoint", "c2sp.org/tlog-proof@v1\nindex 0\n\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK_FALSE(LogProof::parse(row.text).has_value());
    }
    std::string many = "c2sp.org/tlog-proof@v1\nindex 0\n";
    for (int i = 0; i < 65; ++i) many += hash;
    CHECK_FALSE(LogProof::parse(many + "\ncheckpoint\n").has_value());
}
