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

std::string revocation(const std::string& of_text, std::string_view end = "2026-12-05T04:10:00Z") {
    return revocation_text({"inc-4711", digest_of_text(of_text), at(end)});
}

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
        CHECK(offers.grants.empty() == row.ends);
        CHECK(offers.problems.empty() == row.says.empty());
        if (!row.says.empty()) CHECK(offers.problems.front().find(row.says) != std::string::npos);
    }
}

TEST_CASE("the same grant offered twice is one, and offers without end are cut") {
    const std::vector<OfferedGrant> twice{{"a", signed_text(grant()), ""}, {"b", signed_text(grant()), ""}};
    CHECK(SignedGrants::read(twice, *set_with(), Limits{}).grants.size() == 1);
    const std::vector<OfferedGrant> many(SignedGrants::kOffersMax + 2);
    const SignedGrants offers = SignedGrants::read(many, *set_with(), Limits{});
    REQUIRE(offers.problems.size() == 1);
    CHECK(offers.problems.front().find("the 2 beyond the first 1000") != std::string::npos);
}

TEST_CASE("a revocation is read as it was written") {
    const Revocation written{"inc-4711", digest_of_text("x"), at("2026-12-05T04:10:00Z")};
    const auto read = read_revocation(signed_text(revocation_text(written)), {sample::approver().verifier()});
    REQUIRE(read);
    CHECK(*read == written);
}
