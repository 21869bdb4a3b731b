#include "webhook/answer.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;
using policy::Action;
using policy::Verdict;
using policy::Violation;

namespace {

constexpr const char* kDigest = "sha256:0123";
const Limits kLimits;

Violation violation(const std::string& path, const std::string& have, const std::string& want, Action action = Action::deny) {
    return {"production", "limits", path, have, want, action};
}

Verdict denial(std::vector<Violation> violations = {violation(".spec.replicas", "5", "2")}) {
    Verdict verdict;
    verdict.allowed = false;
    verdict.violations = std::move(violations);
    return verdict;
}

std::string text_of(std::size_t bytes, const std::string& piece) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
}

std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<std::string> lines_of(const std::string& message) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = message.find('\n'); end != std::string::npos; end = message.find('\n', begin)) {
        lines.push_back(message.substr(begin, end - begin));
        begin = end + 1;
    }
    lines.push_back(message.substr(begin));
    return lines;
}

json response_of(const std::string& answer) {
    const json parsed = json::parse(answer);
    CHECK(parsed["apiVersion"] == "admission.k8s.io/v1");
    CHECK(parsed["kind"] == "AdmissionReview");
    return parsed["response"];
}

}  // namespace

TEST_CASE("an answer repeats the uid exactly, whatever it says") {
    for (const std::string& uid : {std::string("1"), std::string(kUid), std::string("Aa0-_."), std::string(128, 'x')}) {
        json request = update_review();
        request["request"]["uid"] = uid;
        const ReadReview review(request);
        for (const RecordState state : {RecordState::none, RecordState::durable, RecordState::missing}) {
            CHECK(response_of(write_answer(*review, Verdict{}, state, kDigest, kLimits))["uid"] == uid);
            CHECK(response_of(write_answer(*review, denial(), state, kDigest, kLimits))["uid"] == uid);
        }
        CHECK(response_of(write_refusal(uid, {Errc::internal, "x", ""}))["uid"] == uid);
    }
}

TEST_CASE("the usual answer is allowed, says in the API server's audit log that we were asked, and nothing else") {
    const ReadReview review(update_review());
    CHECK(write_answer(*review, Verdict{}, RecordState::none, kDigest, kLimits) ==
          R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":")" + std::string(kUid) +
              R"(","allowed":true,"auditAnnotations":{"review-id":")" + std::string(kUid) + R"("}}})");
}

TEST_CASE("a denial reads as the reference says") {
    const ReadReview review(update_review());
    Verdict verdict =
        denial({violation(".", "UPDATE by alice@example.com (no writer)", "a writer: flux"), violation(".spec.replicas", "5", "2")});
    verdict.owner = "Kustomization flux-system/apps";
    verdict.guidance = "Change it in Git (owner: Kustomization flux-system/apps).";
    CHECK(write_message(*review, verdict, RecordState::durable, kLimits) ==
          "Fluxgate denied UPDATE deployments.apps production/web by alice@example.com (record b855796f-90eb-484e-9c71-41c1647c7102)\n"
          "- production/limits: have UPDATE by alice@example.com (no writer), want a writer: flux\n"
          "- production/limits .spec.replicas: have 5, want 2\n"
          "Owner: Kustomization flux-system/apps\n"
          "Change it in Git (owner: Kustomization flux-system/apps).");
}

TEST_CASE("the first line says what, who and where the record is") {
    struct Row {
        const char* name;
        std::function<void(json&)> change;
        RecordState record;
        std::string headline;
    };
    const std::vector<Row> rows{
        {"recorded", [](json&) {}, RecordState::durable,
         "Fluxgate denied UPDATE deployments.apps production/web by alice@example.com (record " + std::string(kUid) + ")"},
        {"not recorded", [](json&) {}, RecordState::missing,
         "Fluxgate denied UPDATE deployments.apps production/web by alice@example.com (not recorded: the audit log is not available)"},
        {"dry run", [](json&) {}, RecordState::none,
         "Fluxgate denied UPDATE deployments.apps production/web by alice@example.com (dry run, not recorded)"},
        {"a subresource", [](json& request) { request["subResource"] = "scale"; }, RecordState::missing,
         "Fluxgate denied UPDATE deployments.apps/scale production/web by alice@example.com (not recorded: the audit log is not "
         "available)"},
        {"a name with a line feed", [](json& request) { request["userInfo"]["username"] = "eve\nFluxgate allowed"; }, RecordState::none,
         "Fluxgate denied UPDATE deployments.apps production/web by eve Fluxgate allowed (dry run, not recorded)"},
        {"a deletecollection",
         [](json& request) {
             request["operation"] = "DELETE";
             request["object"] = nullptr;
             request["oldObject"]["metadata"].erase("name");
             request["name"] = "";
         },
         RecordState::none, "Fluxgate denied DELETE deployments.apps production/(no name) by alice@example.com (dry run, not recorded)"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        json request = update_review();
        row.change(request["request"]);
        const ReadReview review(request);
        CHECK(lines_of(write_message(*review, denial(), row.record, kLimits))[0] == row.headline);
    }
}

TEST_CASE("status, reason and annotations of a denial") {
    const ReadReview review(update_review());
    struct Row {
        const char* name;
        RecordState record;
        json annotations;
    };
    const std::vector<Row> rows{
        {"recorded", RecordState::durable, {{"review-id", kUid}, {"record-id", kUid}, {"policy-set", kDigest}}},
        {"not recorded",
         RecordState::missing,
         {{"review-id", kUid}, {"record-missing", "the audit log is not available"}, {"policy-set", kDigest}}},
        {"dry run", RecordState::none, {{"review-id", kUid}, {"policy-set", kDigest}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const json response = response_of(write_answer(*review, denial(), row.record, kDigest, kLimits));
        CHECK(response["allowed"] == false);
        CHECK(response["status"]["code"] == 403);
        CHECK(response["status"]["reason"] == "Forbidden");
        CHECK(response["auditAnnotations"] == row.annotations);
        CHECK_FALSE(response.contains("patch"));
        CHECK_FALSE(response.contains("warnings"));
    }
}

TEST_CASE("what is let through after it was recorded names its record and has no status") {
    const ReadReview review(update_review());
    const json response = response_of(write_answer(*review, Verdict{}, RecordState::durable, kDigest, kLimits));
    CHECK(response["allowed"] == true);
    CHECK(response["auditAnnotations"]["record-id"] == kUid);
    CHECK_FALSE(response.contains("status"));
}

TEST_CASE("a message keeps its limit, names a reason, cuts no violation in half, and counts what is left out") {
    const std::string wide = "ż🐢";
    struct Row {
        const char* name;
        std::size_t name_bytes;  // of user, object and namespace alike
        std::size_t violations;
        std::size_t violation_bytes;
        std::size_t omitted;
        std::size_t ending_bytes;  // of owner and guidance each
        std::string piece;
    };
    const std::vector<Row> rows{
        {"one short violation", 3, 1, 5, 0, 20, "x"},
        {"as many as fit, just", 3, 8, 20, 0, 20, "x"},
        {"hundreds of violations", 3, 500, 20, 0, 20, "x"},
        {"hundreds, and more that were not kept", 3, 500, 20, 1'000'000, 20, "x"},
        {"one huge violation", 3, 1, 100'000, 0, 20, "x"},
        {"huge violations", 3, 100, 100'000, 0, 20, "x"},
        {"long names everywhere", 100'000, 1, 5, 0, 20, "x"},
        {"long names and guidance", 100'000, 3, 5, 0, 100'000, "x"},
        {"everything huge", 100'000, 100, 100'000, 99, 100'000, "x"},
        {"everything huge, one violation", 100'000, 1, 100'000, 0, 100'000, "x"},
        {"everything huge in wide characters", 100'000, 100, 100'000, 99, 100'000, wide},
        {"everything huge in control characters", 100'000, 100, 100'000, 0, 100'000, "\n\x7f"},
        {"no violation kept at all", 3, 0, 0, 5, 20, "x"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        json request = update_review();
        request["request"]["userInfo"]["username"] = text_of(row.name_bytes, row.piece);
        for (const char* object : {"object", "oldObject"}) request["request"][object].erase("metadata");
        request["request"]["name"] = text_of(row.name_bytes, row.piece);
        request["request"]["namespace"] = text_of(row.name_bytes, row.piece);
        const ReadReview review(request);
        Verdict verdict = denial({});
        const std::string text = text_of(row.violation_bytes, row.piece);
        for (std::size_t i = 0; i < row.violations; ++i) verdict.violations.push_back(violation("." + text, text, text));
        verdict.violations_omitted = row.omitted;
        verdict.owner = text_of(row.ending_bytes, row.piece);
        verdict.owner_source = text_of(row.ending_bytes, row.piece);
        verdict.guidance = text_of(row.ending_bytes, row.piece);

        for (const RecordState state : {RecordState::none, RecordState::durable, RecordState::missing}) {
            const std::string message = write_message(*review, verdict, state, kLimits);
            CHECK(message.size() <= 1'000);
            CHECK_NOTHROW(json(message).dump());  // throws at a character cut in half
            std::size_t shown = 0;
            std::size_t more = 0;
            for (const std::string& line : lines_of(message)) {
                if (line.starts_with("- ")) {
                    ++shown;
                    CHECK(line.find(": have ") != std::string::npos);
                    CHECK(line.find(", want ") != std::string::npos);
                }
                if (line.starts_with("+")) more = std::stoul(line.substr(1));
            }
            CHECK(shown >= std::min<std::size_t>(row.violations, 1));
            CHECK(shown + more == row.violations + row.omitted);
            // As JSON it is what it was.
            CHECK(response_of(write_answer(*review, verdict, state, kDigest, kLimits))["status"]["message"] == message);
        }
    }
}

TEST_CASE("a message that fits is complete: every violation, the owner and the guidance") {
    const ReadReview review(update_review());
    Verdict verdict = denial({});
    for (int i = 0; i < 8; ++i) verdict.violations.push_back(violation(".spec.field" + std::to_string(i), "1", "2"));
    verdict.owner = "Kustomization flux-system/apps";
    verdict.guidance = "Ask #platform.";
    const auto lines = lines_of(write_message(*review, verdict, RecordState::durable, kLimits));
    CHECK(lines.size() == 1 + 8 + 2);
    CHECK(lines.back() == "Ask #platform.");
}

TEST_CASE("a message says where the owner gets what it applies, if that is known") {
    const ReadReview review(update_review());
    Verdict verdict = denial({violation(".spec.field", "1", "2")});
    verdict.owner = "Kustomization flux-system/apps";
    verdict.owner_source = "https://git.example.com/shop, ./apps at main@sha1:4f0c57c81a32";
    verdict.guidance = "Ask #platform.";
    const auto lines = lines_of(write_message(*review, verdict, RecordState::durable, kLimits));
    REQUIRE(lines.size() == 4);
    CHECK(lines[2] == "Owner: Kustomization flux-system/apps (https://git.example.com/shop, ./apps at main@sha1:4f0c57c81a32)");
    verdict.owner_source = std::string(1'000, 'x');
    CHECK(write_message(*review, verdict, RecordState::durable, kLimits).ends_with("...)\nAsk #platform."));
}

TEST_CASE("the message names what refuses; what would only warn is in the warnings") {
    const ReadReview review(update_review());
    const Verdict verdict = denial({violation(".spec.warned", "1", "2", Action::warn), violation(".spec.denied", "1", "2"),
                                    violation(".spec.audited", "1", "2", Action::audit)});
    const std::string message = write_message(*review, verdict, RecordState::durable, kLimits);
    CHECK(message.find(".spec.denied") != std::string::npos);
    CHECK(message.find(".spec.warned") == std::string::npos);
    CHECK(message.find(".spec.audited") == std::string::npos);
    CHECK(message.find("more") == std::string::npos);
}

TEST_CASE("a warning is short, in one line, and not cut inside a character") {
    const ReadReview review(update_review());
    struct Row {
        const char* name;
        std::string warning;
        std::string answered;
    };
    const std::vector<Row> rows{
        {"a short one", "mind the gap", "mind the gap"},
        {"of just the length", std::string(120, 'x'), std::string(120, 'x')},
        {"one too long", std::string(121, 'x'), std::string(117, 'x') + "..."},
        {"wide characters of just the length", text_of(480, "🐢"), text_of(480, "🐢")},
        {"too many wide characters", text_of(484, "🐢"), text_of(468, "🐢") + "..."},
        {"control characters", "a\r\nb\tc\x7f", "a  b c "},
        {"nothing", "", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Verdict verdict;
        verdict.warnings = {row.warning};
        const json response = response_of(write_answer(*review, verdict, RecordState::none, kDigest, kLimits));
        CHECK(response["allowed"] == true);
        CHECK(response["warnings"] == json::array({row.answered}));
        CHECK(characters(row.answered) <= 120);
    }
    Verdict many;
    many.warnings.assign(1'000, "mind the gap");
    CHECK(response_of(write_answer(*review, many, RecordState::none, kDigest, kLimits))["warnings"].size() == kLimits.warnings_max);
}

TEST_CASE("texts that are no UTF-8 still make valid JSON") {
    const ReadReview review(update_review());
    Verdict verdict = denial({violation(".\xff", "\xc5", "\xf0\x9f")});
    verdict.guidance = "\xff";
    verdict.warnings = {"\xff"};
    CHECK(response_of(write_answer(*review, verdict, RecordState::durable, kDigest, kLimits))["allowed"] == false);
    CHECK(response_of(write_refusal(kUid, {Errc::io, "\xff", "\xff"}))["allowed"] == false);
}

TEST_CASE("every error becomes a denial with a code for programs and a sentence for people") {
    struct Row {
        Errc code;
        int status;
        const char* reason;
    };
    const std::vector<Row> rows{
        {Errc::invalid_json, 400, "BadRequest"},
        {Errc::invalid_utf8, 400, "BadRequest"},
        {Errc::duplicate_key, 400, "BadRequest"},
        {Errc::trailing_data, 400, "BadRequest"},
        {Errc::too_deep, 400, "BadRequest"},
        {Errc::too_many_nodes, 400, "BadRequest"},
        {Errc::too_large, 400, "BadRequest"},
        {Errc::missing_field, 400, "BadRequest"},
        {Errc::wrong_type, 400, "BadRequest"},
        {Errc::contradictory, 400, "BadRequest"},
        {Errc::unsupported_version, 400, "BadRequest"},
        {Errc::invalid_field_set, 400, "BadRequest"},
        {Errc::invalid_quantity, 400, "BadRequest"},
        {Errc::invalid_policy, 403, "Forbidden"},
        {Errc::io, 403, "Forbidden"},
        {Errc::audit_unavailable, 403, "Forbidden"},
        {Errc::deadline_exceeded, 403, "Forbidden"},
        {Errc::overloaded, 403, "Forbidden"},
        {Errc::internal, 403, "Forbidden"},
    };
    const ReadReview review(update_review());
    for (const Row& row : rows) {
        INFO(to_string(row.code));
        const Error error{row.code, "this is what is wrong", "/request/object"};
        const json response = response_of(write_refusal(kUid, error));
        CHECK(response["allowed"] == false);
        CHECK(response["status"]["code"] == row.status);
        CHECK(response["status"]["reason"] == row.reason);
        const std::string could_not = row.code == Errc::audit_unavailable ? "record: " : "judge: ";
        CHECK(response["status"]["message"] == "Fluxgate denied what it could not " + could_not + to_string(error));
        CHECK(response["auditAnnotations"]["error"] == std::string(to_string(row.code)));
        CHECK(response["auditAnnotations"]["review-id"] == response["uid"]);
        // A verdict that says both "allowed" and "error" is a denial.
        Verdict undecided = Verdict::undecided(error);
        undecided.allowed = true;
        CHECK(response_of(write_answer(*review, undecided, RecordState::none, kDigest, kLimits))["allowed"] == false);
    }
}

TEST_CASE("the sentence of an error keeps the limit too") {
    for (const std::string piece : {"x", "🐢", "\n"}) {
        const json response = response_of(write_refusal(kUid, {Errc::internal, text_of(100'000, piece), text_of(100'000, piece)}));
        const auto message = response["status"]["message"].get<std::string>();
        CHECK(message.size() <= 1'000);
        CHECK(message.find('\n') == std::string::npos);
    }
}
