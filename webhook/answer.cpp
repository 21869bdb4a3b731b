#include "webhook/answer.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::webhook {

namespace {

using nlohmann::ordered_json;

// On every answer, so that the API server's audit log shows which writes Fluxgate was asked about (audit/reconcile.hpp): the API server
// itself writes nothing of a validating webhook that answered. The usual answer spells it out.
constexpr const char* kReviewId = "review-id";

// Long names and paths must not push out what helps; they are whole in the record.
constexpr std::size_t kNameBytesMax = 120;
struct Widths {
    std::size_t rule;  // of the policy's name, and of the rule's
    std::size_t path;
    std::size_t have;
    std::size_t want;
};
constexpr Widths kUsual{120, 160, 240, 120};
// For the one violation that a denial always names, when everything around it is as long as it can be.
constexpr Widths kTight{60, 80, 80, 60};

// Cuts between UTF-8 characters; `bytes_max` includes the dots.
std::string shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    if (bytes_max < 3) return {};
    std::size_t end = bytes_max - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return std::string(text.substr(0, end)) + "...";
}

// Counts characters, not bytes, because that is what the API server counts.
std::string shortened_to_characters(std::string_view text, std::size_t characters_max) {
    const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    if (static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_start)) <= characters_max) return std::string(text);
    std::size_t characters = 0;
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
        if (is_start(text[end]) && ++characters > characters_max - 3) break;
    }
    return std::string(text.substr(0, end)) + "...";
}

// A warning travels in an HTTP header and a message in a terminal: no control characters.
std::string printable(std::string text, std::ptrdiff_t from = 0) {
    std::replace_if(
        text.begin() + from, text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return text;
}

// Between the brackets of the first line.
std::string where_recorded(const kube::Review& review, const RecordNote& record) {
    switch (record.state) {
        case RecordState::none: return "dry run, not recorded";
        case RecordState::durable: return fmt::format("record {}", review.uid);
        case RecordState::repeats: return fmt::format("repeated and counted, record {}", record.first);
        case RecordState::missing: return "not recorded: the audit log is not available";
    }
    return {};
}

std::string headline(const kube::Review& review, const RecordNote& record) {
    const std::string name = review.object_name();
    std::string object = review.resource_name() + " ";
    if (!review.namespace_name.empty() && review.resource.resource != "namespaces") object.append(review.namespace_name).append("/");
    object += name.empty() ? "(no name)" : name;
    return printable(fmt::format("Fluxgate denied {} {} by {} ({})", kube::to_string(review.operation),
                                 shortened(object, 2 * kNameBytesMax), shortened(review.user.username, kNameBytesMax),
                                 where_recorded(review, record)));
}

// The whole object has no path worth a word.
std::string violation_line(const policy::Violation& violation, const Widths& widths) {
    const std::string path = violation.path == "." ? "" : " " + shortened(violation.path, widths.path);
    return printable(
        fmt::format("\n- {}/{}{}: have {}, want {}", shortened(violation.policy, widths.rule), shortened(violation.rule, widths.rule), path,
                    shortened(violation.have, widths.have), shortened(violation.want, widths.want)),
        1);
}

ordered_json envelope(std::string_view uid, bool allowed) {
    return ordered_json{
        {"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"response", {{"uid", uid}, {"allowed", allowed}}}};
}

std::string dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

}  // namespace

std::string write_message(const kube::Review& review, const policy::Verdict& verdict, const RecordNote& record, const Limits& limits) {
    std::string message = headline(review, record);
    std::string ending;
    if (!verdict.owner.empty()) ending += "\nOwner: " + printable(shortened(verdict.owner, 2 * kNameBytesMax));
    if (!verdict.owner_source.empty()) ending += " (" + printable(shortened(verdict.owner_source, 2 * kNameBytesMax)) + ")";
    // Guidance may hold a long owner by now; the loader bounds the rest.
    if (!verdict.guidance.empty()) ending += "\n" + shortened(printable(verdict.guidance), 400);

    // What would only warn is in the warnings.
    std::vector<const policy::Violation*> lines;
    for (const policy::Violation& violation : verdict.violations) {
        if (violation.action == policy::Action::deny) lines.push_back(&violation);
    }
    std::size_t left = verdict.violations_omitted + lines.size();
    constexpr std::size_t kMoreBytes = 40;  // of "+N more in the record"
    const auto fits = [&](std::size_t bytes) {
        return message.size() + bytes + ending.size() + (left > 1 ? kMoreBytes : 0) <= limits.message_bytes_max;
    };
    for (const policy::Violation* violation : lines) {
        std::string line = violation_line(*violation, kUsual);
        // Somebody who is refused must read at least one reason; the guidance gives way to it.
        if (violation == lines.front() && !fits(line.size())) {
            line = violation_line(*violation, kTight);
            const std::size_t used = message.size() + line.size() + kMoreBytes;
            if (!fits(line.size()) && used < limits.message_bytes_max) ending = shortened(ending, limits.message_bytes_max - used);
        }
        if (!fits(line.size())) break;
        message += line;
        --left;
    }
    if (left > 0)
        message += fmt::format("\n+{} more{}", left,
                               record.state == RecordState::durable || record.state == RecordState::repeats ? " in the record" : "");
    message += ending;
    return message.size() <= limits.message_bytes_max ? message : shortened(message, limits.message_bytes_max);
}

std::string message_of_denial(const kube::Review& review, const policy::Verdict& verdict, const Limits& limits) {
    if (verdict.allowed) return {};
    return write_message(review, verdict, verdict.effective ? RecordState::durable : RecordState::none, limits);
}

std::string write_answer(const kube::Review& review, const policy::Verdict& verdict, const RecordNote& record, std::string_view policy_set,
                         const Limits& limits) {
    if (verdict.error) return write_refusal(review.uid, *verdict.error);
    // The usual answer; the reader lets only harmless characters into a uid.
    if (verdict.allowed && verdict.warnings.empty() && record.state == RecordState::none) {
        std::string answer;
        answer.reserve(192 + 2 * review.uid.size());
        answer += R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":")";
        answer += review.uid;
        answer += R"(","allowed":true,"auditAnnotations":{"review-id":")";
        answer += review.uid;
        answer += R"("}}})";
        return answer;
    }
    ordered_json answer = envelope(review.uid, verdict.allowed);
    ordered_json& response = answer["response"];
    if (!verdict.allowed)
        response["status"] = {{"code", 403}, {"reason", "Forbidden"}, {"message", write_message(review, verdict, record, limits)}};
    for (std::size_t i = 0; i < std::min(verdict.warnings.size(), limits.warnings_max); ++i) {
        response["warnings"].push_back(shortened_to_characters(printable(verdict.warnings[i]), limits.warning_chars_max));
    }
    ordered_json& annotations = response["auditAnnotations"];
    annotations[kReviewId] = review.uid;
    if (record.state == RecordState::durable) annotations["record-id"] = review.uid;
    if (record.state == RecordState::repeats) {
        annotations["record-id"] = record.first;
        annotations["record-repeated"] = "true";
    }
    if (record.state == RecordState::missing) annotations["record-missing"] = "the audit log is not available";
    annotations["policy-set"] = policy_set;
    return dump(answer);
}

std::string write_patch(std::string_view uid, const policy::Patch& patch) {
    ordered_json answer = envelope(uid, true);
    if (!patch.empty()) {
        answer["response"]["patchType"] = "JSONPatch";
        answer["response"]["patch"] = base64(patch.operations().dump());
    }
    return dump(answer);
}

std::string write_refusal(std::string_view uid, const Error& error) {
    const bool unreadable = error.code < Errc::invalid_policy;
    const std::string_view what =
        error.code == Errc::audit_unavailable ? "Fluxgate denied what it could not record: " : "Fluxgate denied what it could not judge: ";
    ordered_json answer = envelope(uid, false);
    answer["response"]["status"] = {{"code", unreadable ? 400 : 403},
                                    {"reason", unreadable ? "BadRequest" : "Forbidden"},
                                    {"message", printable(shortened(std::string(what) + to_string(error), 1000))}};
    answer["response"]["auditAnnotations"] = {{kReviewId, uid}, {"error", to_string(error.code)}};
    return dump(answer);
}

}  // namespace fluxgate::webhook
