#include "policy/lock/signed_grants.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/lock/grant_sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::at;
using sample::grant;
using sample::Read;
using sample::signed_text;

namespace {

const SignerKey& stranger() {
    static const SignerKey key = SignerKey::generate("PeterNeumann").value();
    return key;
}
const SignerKey& carol() {
    static const SignerKey key = SignerKey::generate("carol@example.com").value();
    return key;
}

std::shared_ptr<const PolicySet> set_with(const std::string& keys = "\"" + sample::kApprover + "\"") {
    return sample::compiled(sample::lock_with("{maxDuration: 4h, approverKeys: [" + keys + "]}"));
}

std::string revocation_of(const std::string& digest) { return revocation_text({"inc-4711", digest, at("2026-12-05T04:10:00Z")}); }
std::string revocation(const std::string& of_text) { return revocation_of(digest_of_text(of_text)); }

std::string meaning_of(const std::string& text) { return sample::compiled({sample::kLock, text})->grants.front().meaning; }

std::string numbered(std::size_t number) { return "a" + std::to_string(1'000'000 + number); }

}  // namespace

TEST_CASE("a signed grant opens a lock of its approver") {
    const auto set = set_with();
    const SignedGrants offers = SignedGrants::read({{"grant-inc-4711", signed_text(grant()), ""}}, *set, Limits{});
    CHECK(offers.problems.empty());
    REQUIRE(offers.grants.size() == 1);
    CHECK(offers.grants.front().digest == digest_of_text(grant()));
    CHECK(offers.grants.front().signed_by == std::vector{sample::approver().verifier()});
    Context context{.now = at("2026-12-05T03:00:00Z"), .cluster_name = "prod-1"};
    CHECK_FALSE(evaluate(*Read(sample::update()), *set, context).allowed);
    context.signed_grants = &offers;
    const Verdict verdict = evaluate(*Read(sample::update()), *set, context);
    CHECK(verdict.allowed);
    REQUIRE(verdict.grants.size() == 1);
    CHECK(verdict.grants.front().vouched_by == "PeterNeumann");
    CHECK(verdict.grants.front().digest == digest_of_text(grant()));
    context.cluster_name = "prod-2";  // a replay on another cluster
    CHECK_FALSE(evaluate(*Read(sample::update()), *set, context).allowed);
}

TEST_CASE("a signature opens only the locks that name its key") {
    const auto other = sample::compiled(sample::lock_with("{maxDuration: 4h, approverKeys: [\"" + carol().verifier().text() + "\"]}"));
    const SignedGrants offers = SignedGrants::read({{"g", signed_text(grant()), ""}}, *set_with(), Limits{});
    REQUIRE(offers.grants.size() == 1);
    Context context{.now = at("2026-12-05T03:00:00Z"), .signed_grants = &offers, .cluster_name = "prod-1"};
    const Verdict verdict = evaluate(*Read(sample::update()), *other, context);
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.guidance == "Break-glass inc-4711 is not signed by an approver of this lock.");
}

TEST_CASE("what is offered and not believed, with the reason") {
    struct Row {
        std::string_view name;
        std::string note;
        std::string_view says;
    };
    std::string edited = signed_text(grant());
    edited.replace(edited.find("INC-4711"), 8, "INC-4712");
    const Row rows[] = {
        {"no note", grant(), "data.grant: is no signed note"},
        {"signed by a stranger of the same name", signed_text(grant(), stranger()), "signed by PeterNeumann ("},
        {"signed by a stranger", signed_text(grant(), carol()), "whose key is in breakGlass.approverKeys of no lock"},
        {"edited afterwards", edited, "does not fit the text"},
        {"approved by another", signed_text(grant({{"approvedBy", "carol@example.com"}})),
         "spec.approvedBy is carol@example.com, and the signature is by PeterNeumann"},
        {"approved by who asked", signed_text(grant({{"requestedBy", "PeterNeumann"}})), "cannot approve it"},
        {"no cluster", signed_text(grant({{"cluster", ""}})), "spec.cluster is missing"},
        {"two grants", signed_text(grant() + "---\n" + grant()), "expected one BreakGlass, have 2 documents"},
        {"no grant", signed_text("# nothing\n"), "expected one BreakGlass, have 0 documents"},
        {"another kind", signed_text(sample::kLock), "kind: expected BreakGlass"},
        {"a revocation", signed_text(revocation(grant())), "grant:2:5: "},
        {"an error in the grant", signed_text(grant({{"ticket", ""}})), "grant:5:3: spec.ticket is missing"},
        {"too large", std::string(SignedNote::kBytesMax + 1, 'a'), "more than 65536 bytes"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const SignedGrants offers = SignedGrants::read({{"g", row.note, ""}}, *set_with(), Limits{});
        CHECK(offers.grants.empty());
        REQUIRE(offers.problems.size() == 1);
        INFO(offers.problems.front());
        CHECK(offers.problems.front().starts_with("ConfigMap g: data.grant: "));
        CHECK(offers.problems.front().find(row.says) != std::string::npos);
    }
}

TEST_CASE("a revocation ends the grant whose text it names, and no other") {
    struct Row {
        std::string_view name;
        std::string note;
        bool ends;
        std::string_view says{};
    };
    std::string shorter = revocation(grant());
    shorter.erase(shorter.find("expiresAt"));
    std::string edited = signed_text(revocation(grant()));
    edited.replace(edited.find("inc-4711"), 8, "inc-4712");
    const Row rows[] = {
        {"by its approver", signed_text(revocation(grant())), true},
        {"by another approver", signed_text(revocation(grant()), carol()), true},
        {"of another grant", signed_text(revocation(grant({{"ticket", "INC-4712"}}))), false},
        {"by a stranger", signed_text(revocation(grant()), stranger()), false, "of no lock"},
        {"edited afterwards", edited, false, "does not fit the text"},
        {"by what the grant means", signed_text(revocation_of(meaning_of(grant()))), true},
        {"unsigned", revocation(grant()), false, "is no signed note"},
        {"without its end", signed_text(shorter), false, "is no revocation"},
        {"with more lines", signed_text(revocation(grant()) + "more: lines\n"), false, "is no revocation"},
        {"of another version", signed_text("fluxgate.dev/revocation/v2" + revocation(grant()).substr(26)), false, "is no revocation"},
        {"a grant", signed_text(grant()), false, "is no revocation"},
        {"no digest", signed_text("fluxgate.dev/revocation/v1\nname: a\ndigest: sha256:12\nexpiresAt: 2026-12-05T04:10:00Z\n"), false,
         "is no revocation"},
        {"no time", signed_text(revocation_text({"a", digest_of_text(grant()), at("2026-12-05T04:10:00Z")}).substr(0, 120) + "x\n"), false,
         "is no revocation"},
    };
    const auto set = set_with("\"" + sample::kApprover + "\", \"" + carol().verifier().text() + "\"");
    for (const Row& row : rows) {
        INFO(row.name);
        // The order of offers makes no difference.
        const SignedGrants offers = SignedGrants::read({{"g", signed_text(grant()), ""}, {"r", "", row.note}}, *set, Limits{});
        REQUIRE(offers.grants.size() == 1);
        CHECK(offers.is_revoked(offers.grants.front()) == row.ends);
        const Context context{.now = at("2026-12-05T03:00:00Z"), .signed_grants = &offers, .cluster_name = "prod-1"};
        const Verdict verdict = evaluate(*Read(sample::update()), *set, context);
        CHECK(verdict.allowed == !row.ends);
        if (row.ends) CHECK(verdict.guidance == "Break-glass inc-4711 was ended before its time.");
        CHECK(offers.problems.empty() == row.says.empty());
        if (!row.says.empty()) CHECK(offers.problems.front().find(row.says) != std::string::npos);
    }
}

TEST_CASE("a revocation ends a grant from Git too, by what it means") {
    struct Row {
        std::string_view name;
        std::string digest;
        bool ends;
    };
    const Row rows[] = {
        {"what it means", meaning_of(grant()), true},
        {"what it means, whatever its comments", meaning_of("# for the night\n" + grant()), true},
        {"its text, which Git does not keep", digest_of_text(grant()), false},
        {"what another means", meaning_of(grant({{"ticket", "INC-4712"}})), false},
    };
    const auto set = sample::compiled({sample::kLock, grant()});
    for (const Row& row : rows) {
        INFO(row.name);
        const SignedGrants offers = SignedGrants::read({{"r", "", signed_text(revocation_of(row.digest))}}, *set, Limits{});
        REQUIRE(offers.revocations.size() == 1);
        const Context context{.now = at("2026-12-05T03:00:00Z"), .signed_grants = &offers, .cluster_name = "prod-1"};
        const Verdict verdict = evaluate(*Read(sample::update()), *set, context);
        CHECK(verdict.allowed == !row.ends);
        if (row.ends) CHECK(verdict.guidance == "Break-glass inc-4711 was ended before its time.");
    }
}

TEST_CASE("a revocation holds while any lock has the key that signed it") {
    const std::string bob = "\"" + sample::kApprover + "\"";
    const std::string both = bob + ", \"" + carol().verifier().text() + "\"";
    std::string by_both = signed_text(revocation(grant()));
    by_both += carol().signature_line(revocation(grant())).value();
    struct Row {
        std::string_view name;
        std::string revocation;
        std::string keys;
        bool holds;
    };
    const Row rows[] = {
        {"by another approver", signed_text(revocation(grant()), carol()), both, true},
        {"by another approver, whose key was taken away", signed_text(revocation(grant()), carol()), bob, false},
        {"by the grant's own approver, when the other's key was taken away", signed_text(revocation(grant())), bob, true},
        {"by both, when the other's key was taken away", by_both, bob, true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const SignedGrants offers = SignedGrants::read({{"g", signed_text(grant()), row.revocation}}, *set_with(row.keys), Limits{});
        REQUIRE(offers.grants.size() == 1);
        CHECK(offers.is_revoked(offers.grants.front()) == row.holds);
    }
}

TEST_CASE("no number of ConfigMaps hides a revocation or makes room for a grant") {
    constexpr std::size_t kMax = SignedGrants::kGrantsMax;
    const std::string end = signed_text(revocation(grant()));
    const auto offers_of = [&](std::size_t count, const auto& note) {
        std::vector<OfferedGrant> offers;
        for (std::size_t i = 0; i < count; ++i) offers.push_back({numbered(i), note(i), ""});
        return offers;
    };
    const auto copy = [](std::size_t) { return signed_text(grant()); };
    const auto junk = [](std::size_t i) { return "junk " + std::to_string(i); };
    struct Row {
        std::string_view name;
        std::vector<OfferedGrant> offers;
        std::size_t grants;
        bool ended = false;
        std::size_t problems = 0;
    };
    std::vector<Row> rows{
        {"twice", offers_of(2, copy), 1},
        {"more copies than grants are read", offers_of(kMax + 2, copy), 1},
        {"more copies than grants are read, and its end after them", offers_of(kMax + 2, copy), 1, true},
        {"as many as are read", offers_of(kMax, junk), 0, false, kMax},
        {"more than are read", offers_of(kMax + 1, junk), 0, false, 1},
        {"a good one before more than are read", offers_of(kMax, junk), 0, true, 1},
        {"ends of one grant without end", {}, 0, true},
    };
    rows[2].offers.push_back({"z", "", end});
    rows[5].offers.insert(rows[5].offers.begin(), {"a", signed_text(grant()), end});
    for (std::size_t i = 0; i < kMax + 2; ++i) rows[6].offers.push_back({numbered(i), "", end});
    for (const Row& row : rows) {
        INFO(row.name);
        const SignedGrants read = SignedGrants::read(row.offers, *set_with(), Limits{});
        CHECK(read.grants.size() == row.grants);
        CHECK(read.config_maps.size() == row.grants);
        CHECK(read.problems.size() == row.problems);
        CHECK(read.revocations.size() == (row.ended ? 1 : 0));
        if (row.grants == 1) CHECK(read.is_revoked(read.grants.front()) == row.ended);
        if (row.grants == 1) CHECK(read.config_maps.front() == numbered(0));
        if (row.problems == 1)
            CHECK(read.problems.front() == "1001 different signed grants are offered, at most 1000 are read: none is accepted");
    }
}

TEST_CASE("a revocation is read as it was written") {
    const Revocation written{"inc-4711", digest_of_text("x"), at("2026-12-05T04:10:00Z")};
    const auto read = read_revocation(signed_text(revocation_text(written)), {sample::approver().verifier()});
    REQUIRE(read);
    CHECK(*read == written);
}
