#include "policy/lock/grant_config_map.hpp"

#include "policy/evaluate.hpp"
#include "policy/lock/signed_grants.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/lock/grant_sample.hpp"

#include <nlohmann/json.hpp>

using namespace fluxgate;
using namespace fluxgate::policy;
using nlohmann::json;
using sample::at;
using sample::grant;
using sample::Read;
using sample::Request;
using sample::signed_text;

namespace {

const std::string kEnd = signed_text(revocation_text({"inc-4711", digest_of_text(grant()), at("2026-12-05T04:10:00Z")}));

json config_map(const json& data, const json& labels = {{"fluxgate.dev/grant", "true"}}) {
    return {{"metadata", {{"name", "grant-inc-4711"}, {"namespace", "fluxgate-system"}, {"labels", labels}}}, {"data", data}};
}

// By alice, who is no writer, in a namespace that is locked.
Request writes(const json& object, const json& old_object = nullptr) {
    Request request;
    request.resource = "configmaps";
    request.kind = "ConfigMap";
    request.name = "grant-inc-4711";
    request.namespace_name = "fluxgate-system";
    request.operation = object.is_null() ? "DELETE" : old_object.is_null() ? "CREATE" : "UPDATE";
    request.object = object.dump();
    request.old_object = old_object.dump();
    return request;
}

Verdict judge(const Request& request, Context context = {.now = at("2026-12-05T03:00:00Z"), .cluster_name = "prod-1"}) {
    return evaluate(*Read(request), *sample::compiled(sample::kLock), context);
}

}  // namespace

TEST_CASE("who may write a ConfigMap of grants: whoever has a signature") {
    const json good = config_map({{"grant", signed_text(grant())}});
    const json other = config_map({{"grant", signed_text(grant({{"ticket", "INC-4712"}}))}});
    const json ended = config_map({{"grant", signed_text(grant())}, {"revocation", kEnd}});
    const json end_alone = config_map({{"revocation", kEnd}});
    const auto without_label = [](json object) {
        object["metadata"]["labels"] = json::object();
        return object;
    };
    const auto with = [](json object, const json& patch) {
        object.merge_patch(patch);
        return object;
    };
    const json unsigned_one = config_map({{"grant", grant()}});
    const json settings = config_map({{"settings", "x"}}, json::object());
    struct Row {
        std::string_view name;
        Request request;
        bool allowed;
        std::string_view rule = "grants";  // that refuses
    };
    Request elsewhere = writes(good);
    elsewhere.namespace_name = "production";
    elsewhere.object = with(good, {{"metadata", {{"namespace", "production"}}}}).dump();
    Request by_flux = writes(unsigned_one);
    by_flux.user = sample::kFlux;
    const Row rows[] = {
        {"a grant", writes(good), true},
        {"another grant over it", writes(other, good), true},
        {"its end", writes(ended, good), true},
        {"its end alone", writes(end_alone, good), true},
        {"a new end", writes(end_alone), true},
        {"the grant and its end at once", writes(ended), true},
        {"a note without a signature", writes(unsigned_one), false},
        {"a note without a signature, by a writer", by_flux, false},
        {"an end without a signature", writes(config_map({{"revocation", "x"}})), false},
        {"a good grant with a bad end", writes(config_map({{"grant", signed_text(grant())}, {"revocation", "x"}})), false},
        {"a grant for another cluster", writes(config_map({{"grant", signed_text(grant({{"cluster", "prod-2"}}))}})), false},
        {"a grant that has ended", writes(config_map({{"grant", signed_text(grant({{"expiresAt", "2026-12-05T03:00:00Z"}}))}})), false},
        {"a grant that is still to begin", writes(config_map({{"grant", signed_text(grant({{"notBefore", "2026-12-05T03:30:00Z"}}))}})),
         true},
        {"a grant that is too long for every lock",
         writes(config_map({{"grant", signed_text(grant({{"expiresAt", "2026-12-05T09:10:00Z"}}))}})), false},
        {"the end taken away", writes(good, ended), false},
        {"the end changed",
         writes(
             config_map({{"revocation", signed_text(revocation_text({"inc-4711", digest_of_text(grant()), at("2026-12-05T03:00:01Z")}))}}),
             end_alone),
         false},
        {"the end deleted", writes(nullptr, end_alone), false, "r"},
        {"the label taken away from an end", writes(without_label(end_alone), end_alone), false, "r"},
        {"a grant deleted", writes(nullptr, good), false, "r"},
        {"the label taken away from a grant", writes(without_label(good), good), false, "r"},
        {"a grant in another namespace", elsewhere, false, "r"},
        {"no label", writes(without_label(good)), false, "r"},
        {"another label beside", writes(with(good, {{"metadata", {{"labels", {{"fluxgate.dev/policies", "true"}}}}}})), false, "r"},
        {"other data beside", writes(with(good, {{"data", {{"policy.yaml", "x"}}}})), false, "r"},
        {"binary data beside", writes(with(good, {{"binaryData", {{"a", "AAAA"}}}})), false, "r"},
        {"a ConfigMap that was something else", writes(good, settings), false, "r"},
        {"only other metadata", writes(with(good, {{"metadata", {{"annotations", {{"a", "b"}}}}}}), good), false, "r"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = judge(row.request);
        CHECK(verdict.allowed == row.allowed);
        if (row.allowed) CHECK(verdict.write_class == WriteClass::exceptional);
        if (!row.allowed) CHECK(verdict.violations.front().rule == row.rule);
    }
}

TEST_CASE("in a namespace without a lock the notes are judged all the same") {
    const auto set = sample::compiled(sample::policy(
        "  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux], breakGlass: {maxDuration: 4h, approverKeys: [\"" +
        sample::kApprover + "\"]}}}]\n"));
    const Context context{.now = at("2026-12-05T03:00:00Z"), .cluster_name = "prod-1"};
    const Context later{.now = at("2026-12-05T04:10:00Z"), .cluster_name = "prod-1"};
    const json end = config_map({{"revocation", kEnd}});
    const json good = config_map({{"grant", signed_text(grant())}});
    json unlabelled = end;
    unlabelled["metadata"]["labels"] = json::object();
    struct Row {
        std::string_view name;
        Request request;
        const Context& at;
        bool allowed;
    };
    const Row rows[] = {
        {"a grant", writes(good), context, true},
        {"a grant deleted", writes(nullptr, good), context, true},
        {"no note", writes(config_map({{"grant", "x"}})), context, false},
        {"nothing at all", writes(config_map(nullptr)), context, false},
        {"other data", writes(config_map({{"grant", signed_text(grant())}, {"more", "x"}})), context, false},
        {"an end deleted", writes(nullptr, end), context, false},
        {"an end deleted when the grant has ended", writes(nullptr, end), later, true},
        {"the label taken away from an end", writes(unlabelled, end), context, false},
        {"the label taken away when the grant has ended", writes(unlabelled, end), later, true},
        {"an annotation",
         writes(
             [&] {
                 json changed = end;
                 changed["metadata"]["annotations"] = {{"a", "b"}};
                 return changed;
             }(),
             end),
         later, true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(evaluate(*Read(row.request), *set, row.at).allowed == row.allowed);
    }
}

TEST_CASE("a grant is taken once, and not again when it was ended") {
    const auto set = sample::compiled(sample::kLock);
    const std::string note = signed_text(grant());
    // The same text with one more signature, which nobody knows.
    const std::string another_note = note + SignerKey::generate("mallory").value().signature_line(grant()).value();
    struct Row {
        std::string_view name;
        OfferedGrant known;
        json data{};
        json before = nullptr;
        std::string_view refused{};
    };
    const Row rows[] = {
        {"ended", {"r", "", kEnd}, {{"grant", note}}, nullptr, "it was ended before its time"},
        {"offered by another ConfigMap", {"copy", note, ""}, {{"grant", note}}, nullptr, "ConfigMap copy offers it already"},
        {"offered by another ConfigMap with other signatures",
         {"copy", note, ""},
         {{"grant", another_note}},
         nullptr,
         "ConfigMap copy offers it already"},
        {"offered by this ConfigMap", {"grant-inc-4711", note, ""}, {{"grant", another_note}}, config_map({{"grant", note}})},
        {"another grant offered by another ConfigMap", {"copy", signed_text(grant({{"ticket", "INC-4712"}})), ""}, {{"grant", note}}},
        {"offered by another ConfigMap, and ended by this one", {"copy", note, ""}, {{"grant", note}, {"revocation", kEnd}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const SignedGrants known = SignedGrants::read({row.known}, *set, Limits{});
        const Verdict verdict = judge(writes(config_map(row.data), row.before),
                                      {.now = at("2026-12-05T03:00:00Z"), .signed_grants = &known, .cluster_name = "prod-1"});
        CHECK(verdict.allowed == row.refused.empty());
        if (!row.refused.empty()) {
            REQUIRE(verdict.violations.size() == 1);
            CHECK(verdict.violations.front().have == row.refused);
        }
    }
}

TEST_CASE("a signed grant is taken even where Flux substitutes from ConfigMaps") {
    ClusterView::Substitutes list{"ConfigMap fluxgate-system/grant-inc-4711"};
    ClusterView view;
    view.substitutes = std::make_shared<const ClusterView::Substitutes>(list);
    Context context{.now = at("2026-12-05T03:00:00Z"), .cluster_name = "prod-1"};
    context.cluster = &view;
    CHECK(judge(writes(config_map({{"grant", signed_text(grant())}})), context).allowed);
    CHECK_FALSE(judge(writes(config_map({{"grant", grant()}})), context).allowed);
}
