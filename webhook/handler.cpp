#include "webhook/handler.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace fluxgate::webhook {

namespace {

http::Response json_response(int status, std::string body) {
    return {.status = status, .content_type = "application/json", .body = std::move(body)};
}
http::Response text_response(int status, std::string body) {
    return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

std::string error_body(std::string_view message, std::string_view code) {
    return fmt::format(R"({{"error":"{}","code":"{}"}})", message, code);
}

// The value of a query parameter, not decoded: what we read has no escapes.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair.substr(0, pair.find('=')) != name) continue;
        const std::size_t equals = pair.find('=');
        return equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    }
    return std::nullopt;
}

// "3s", "500ms", "1m"; nothing for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (unit == "s") return std::chrono::seconds(number);
    if (unit == "ms") return std::chrono::milliseconds(number);
    if (unit == "m") return std::chrono::minutes(number);
    return std::nullopt;
}

std::uint64_t next_generation() {
    static std::atomic<std::uint64_t> counter{0};
    return ++counter;
}

}  // namespace

AdmissionHandler::AdmissionHandler(Parts parts) : parts_(std::move(parts)), generation_(next_generation()) {}

void AdmissionHandler::operator()(const http::Request& request, http::Reply reply) const {
    const auto refuse = [&](int status, std::string_view message, std::string_view code) {
        if (parts_.on_misdirected) parts_.on_misdirected(request, status);
        reply.send(json_response(status, error_body(message, code)));
    };
    const bool mutate = request.path == "/mutate";
    if (request.path != "/validate" && !mutate)
        return refuse(404, "no such path; reviews go to POST /validate or POST /mutate", "not_found");
    if (request.method != "POST") return refuse(405, "reviews are sent with POST", "method_not_allowed");
    answer(mutate ? Question::mutate : Question::validate, request, std::move(reply));
}

void AdmissionHandler::answer(Question question, const http::Request& request, http::Reply reply) const {
    const auto set = parts_.policies.load();
    if (!set) {  // readiness says the same; failurePolicy decides
        reply.send(json_response(503, error_body("no policy set is loaded", "invalid_policy")));
        return;
    }
    Reviewer& reviewer = reviewer_of_this_thread();
    // Loaded once: the whole review is judged by one state of the world.
    const auto cluster = parts_.cluster ? parts_.cluster->load() : nullptr;
    const auto signed_grants = parts_.signed_grants ? parts_.signed_grants->load() : nullptr;
    policy::Context context{
        .now = parts_.clock.now(), .cluster = cluster.get(), .signed_grants = signed_grants.get(), .cluster_name = parts_.origin.cluster};
    Outcome outcome =
        question == Question::mutate ? reviewer.mutate(request.body, *set, context) : judge(reviewer, request.body, *set, context);
    if (question == Question::mutate && outcome.allowed) {
        parts_.metrics.count_mutation(outcome.patched);
        reply.send(json_response(outcome.http_status, std::move(outcome.answer)));
        return;
    }
    parts_.metrics.count_findings(outcome.warned, outcome.audited, outcome.excused);
    if (outcome.learned) parts_.metrics.count_learned();
    if (outcome.dry_run) parts_.metrics.count_dry_run();
    if (outcome.repeated) parts_.metrics.count_repeated();
    const auto arrived = request.arrived;
    // A reply that comes after the deadline finds the fallback sent, which is the answer without a record.
    const auto send = [this, arrived](http::Reply& to, Outcome& sent, bool kept) {
        const std::string& text = kept ? sent.answer : sent.without_record;
        const bool in_time = to.send(json_response(sent.http_status, text));
        const auto duration = parts_.clock.steady() - arrived;
        const bool allowed = kept && in_time && sent.allowed;
        const bool recorded_as_allowed = kept && sent.allowed;
        const bool leaves_nothing = sent.promise == Promise::none && !sent.repeated;
        if (!allowed && (recorded_as_allowed || leaves_nothing)) parts_.metrics.count_denied_without_record();
        parts_.metrics.count_review(allowed, sent.write_class, sent.error, duration);
        if (parts_.on_answer) parts_.on_answer(sent, !kept || !in_time, duration);
    };

    if (outcome.promise == Promise::none) return send(reply, outcome, true);
    audit::Record record = std::move(*outcome.record);
    outcome.record.reset();
    if (outcome.promise == Promise::beside_the_answer) {
        if (parts_.log)
            parts_.log->append(std::move(record),
                               [this](const Result<std::uint64_t>& written) { parts_.metrics.count_record(written.has_value()); });
        else
            parts_.metrics.count_record(false);
        return send(reply, outcome, true);
    }
    if (!parts_.log) {
        parts_.metrics.count_record(false);
        return send(reply, outcome, false);
    }

    reply.answer_by(deadline_of(request, parts_.limits), json_response(outcome.http_status, outcome.without_record));
    struct Pending {
        http::Reply reply;
        Outcome outcome;
        std::optional<RepeatedDenials::First> denial;
    };
    auto pending = std::make_shared<Pending>(Pending{std::move(reply), std::move(outcome), std::nullopt});
    if (parts_.repeated_denials && pending->outcome.readable && !pending->outcome.allowed)
        pending->denial = RepeatedDenials::first_of(record);
    parts_.log->append(std::move(record), [this, pending, send](const Result<std::uint64_t>& written) {
        parts_.metrics.count_record(written.has_value());
        if (written && pending->denial) parts_.repeated_denials->begin(std::move(*pending->denial));
        send(pending->reply, pending->outcome, written.has_value());
    });
}

// A grant can be used up between the evaluation and its count, by another thread: then the review is judged again, and the grant opens
// nothing any more. Each turn finds one grant more that is used up, so this ends.
Outcome AdmissionHandler::judge(Reviewer& reviewer, std::string_view body, const policy::PolicySet& set, policy::Context& context) const {
    for (;;) {
        const auto uses = parts_.grant_uses ? parts_.grant_uses->counts() : nullptr;
        context.grant_uses = uses.get();
        Outcome outcome = reviewer.judge(body, set, context);
        context.grant_uses = nullptr;
        if (outcome.grants.empty() || !parts_.grant_uses || parts_.grant_uses->take(outcome.grants, context.now)) return outcome;
    }
}

// A parser keeps its buffers from review to review, so there is one for each thread. The generation tells handlers apart that
// live one after the other at one address.
Reviewer& AdmissionHandler::reviewer_of_this_thread() const {
    thread_local std::uint64_t generation = 0;
    thread_local std::optional<Reviewer> reviewer;
    if (generation != generation_) {
        reviewer.emplace(parts_.limits, parts_.origin, Evaluate{policy::evaluate}, parts_.repeated_denials);
        generation = generation_;
    }
    return *reviewer;
}

std::chrono::steady_clock::time_point deadline_of(const http::Request& request, const Limits& limits) {
    const auto given = parse_duration(query_value(request.query, "timeout").value_or(std::string_view{}));
    const std::chrono::milliseconds timeout = std::min(given.value_or(limits.deadline_default), limits.deadline_max);
    // A caller in a great hurry still gets half of its time used.
    return request.arrived + std::max(timeout - limits.deadline_margin, timeout / 2);
}

http::Handler make_health_handler(const Readiness& readiness) {
    return [&readiness](const http::Request& request, http::Reply reply) {
        if (request.method != "GET" && request.method != "HEAD") {
            reply.send(text_response(405, "use GET\n"));
        } else if (request.path == "/livez" || request.path == "/healthz") {
            reply.send(text_response(200, "ok\n"));
        } else if (request.path == "/readyz") {
            const auto report = readiness.report();
            const bool verbose = query_value(request.query, "verbose").has_value() || !report.ready;
            reply.send(text_response(report.ready ? 200 : 503, verbose ? report.text : "ok\n"));
        } else {
            reply.send(text_response(404, "here are /livez and /readyz?verbose\n"));
        }
    };
}

http::Handler make_metrics_handler(std::function<std::string()> expose) {
    return [expose = std::move(expose)](const http::Request& request, http::Reply reply) {
        if (request.path != "/metrics" || (request.method != "GET" && request.method != "HEAD")) {
            reply.send(text_response(404, "here is GET /metrics\n"));
            return;
        }
        reply.send({.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = expose()});
    };
}

}  // namespace fluxgate::webhook
