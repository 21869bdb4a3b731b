#include "policy/lock/grants.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/duration.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::size_t kApproverKeysMax = 100;

// How far a grant gets with a request; the further, the nearer it is to what the caller wants to know.
enum class Fit : std::uint8_t {
    for_others,
    elsewhere,
    other_cluster,
    no_approver,
    too_long,
    own_approval,
    too_early,
    ended,
    revoked,
    used_up,
    opens
};

std::uint64_t uses_of(const Grant& grant, const Context& context) {
    if (!context.grant_uses) return 0;
    const auto found = context.grant_uses->find(grant.digest);
    return found == context.grant_uses->end() ? 0 : found->second;
}

bool is_approved(const BreakGlassTerms& terms, const Grant& grant) {
    if (grant.signed_by.empty()) return true;  // the Git commit vouches for it
    return std::any_of(grant.signed_by.begin(), grant.signed_by.end(), [&](const VerifierKey& key) {
        const auto& keys = terms.approver_keys;
        return key.name == grant.approved_by && std::find(keys.begin(), keys.end(), key) != keys.end();
    });
}

bool is_short_enough(const BreakGlassTerms& terms, const Grant& grant) { return grant.expires_at - grant.not_before <= terms.max_duration; }

Fit fit(const Grant& grant, const kube::Review& review, const BreakGlassTerms& terms, const Context& context) {
    const auto is_caller = [&](const Subject& subject) { return subject.is(review.user); };
    if (std::none_of(grant.subjects.begin(), grant.subjects.end(), is_caller)) return Fit::for_others;
    if (!grant.match.matches(review, context)) return Fit::elsewhere;
    if (!is_for_this_cluster(grant, context)) return Fit::other_cluster;
    if (!is_approved(terms, grant)) return Fit::no_approver;
    if (!is_short_enough(terms, grant)) return Fit::too_long;
    if (same_person(review.user.username, grant.approved_by)) return Fit::own_approval;
    if (context.now < grant.not_before) return Fit::too_early;
    if (context.now >= grant.expires_at) return Fit::ended;
    if (context.signed_grants && context.signed_grants->is_revoked(grant)) return Fit::revoked;
    if (grant.max_uses && uses_of(grant, context) >= *grant.max_uses) return Fit::used_up;
    return Fit::opens;
}

std::string explain(const Grant& grant, Fit why, const kube::Review& review, const BreakGlassTerms& terms) {
    const auto say = [&](const std::string& what) { return fmt::format("Break-glass {} {}.", grant.name, what); };
    switch (why) {
        case Fit::for_others:
        case Fit::opens: return {};
        case Fit::elsewhere:
            return say(
                fmt::format("does not cover {} {} {}", kube::to_string(review.operation), review.resource_name(), review.object_name()));
        case Fit::other_cluster: return say("is for another cluster: " + grant.cluster);
        case Fit::no_approver: return say("is not signed by an approver of this lock");
        case Fit::too_long: return say(fmt::format("lasts longer than the {} that this lock accepts", format_duration(terms.max_duration)));
        case Fit::own_approval: return say("cannot be used by who approved it");
        case Fit::too_early: return say("begins at " + format_moment(grant.not_before));
        case Fit::ended: return say("ended at " + format_moment(grant.expires_at));
        case Fit::revoked: return say("was ended before its time");
        case Fit::used_up:
            return say(fmt::format("has been used {} {}, as often as it may", *grant.max_uses, *grant.max_uses == 1 ? "time" : "times"));
    }
    return {};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool ends_with_name(std::string_view text, std::string_view name) {
    if (name.empty() || text.size() < name.size()) return false;
    const std::string_view end = text.substr(text.size() - name.size());
    const bool same = std::equal(end.begin(), end.end(), name.begin(), [](char l, char r) { return lower(l) == lower(r); });
    if (!same || end.size() == text.size()) return same;
    const char before = text[text.size() - name.size() - 1];
    return before == ':' || before == '#' || before == '/';
}

}  // namespace

BreakGlassTerms BreakGlassTerms::decode(Mapping& fields) {
    BreakGlassTerms terms;
    fields.required("maxDuration", "how long a grant may last, such as 4h");
    const std::string text = fields.string("maxDuration");
    if (!text.empty()) {
        const auto duration = parse_duration(text);
        if (!duration)
            fields.problem("maxDuration", duration.error().message);
        else if (*duration > kGrantDurationMax)
            fields.problem("maxDuration", "must be at most 24h: what takes longer is a change for Git");
        else
            terms.max_duration = *duration;
    } else if (const kube::Node* given = fields.field("maxDuration"); given && given->kind() == kube::Node::Kind::string) {
        fields.problem("maxDuration", "must not be empty");
    }
    const std::vector<std::string> keys = fields.strings("approverKeys");
    if (keys.size() > kApproverKeysMax) {
        fields.problem("approverKeys", fmt::format("has {} items; at most {} are read", keys.size(), kApproverKeysMax));
        fields.finish();
        return terms;
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto key = VerifierKey::parse(keys[i]);
        if (!key)
            fields.problem("approverKeys", fmt::format("[{}] {}", i, key.error().message));
        else if (std::find(terms.approver_keys.begin(), terms.approver_keys.end(), *key) != terms.approver_keys.end())
            fields.problem("approverKeys", fmt::format("[{}] names the key of {} again", i, key->name));
        else
            terms.approver_keys.push_back(std::move(*key));
    }
    fields.finish();
    return terms;
}

const Grant* find_grant(const kube::Review& review, const BreakGlassTerms& terms, const std::vector<Grant>& from_git,
                        const Context& context, std::string& why_not) {
    const Grant* nearest = nullptr;
    Fit nearest_fit = Fit::for_others;
    if (!proves_account(review.user)) return nullptr;
    const auto look = [&](const std::vector<Grant>& grants) {
        for (const Grant& grant : grants) {
            const Fit how = fit(grant, review, terms, context);
            if (how <= nearest_fit) continue;
            nearest = &grant;
            nearest_fit = how;
            if (how == Fit::opens) return;
        }
    };
    look(from_git);
    if (nearest_fit != Fit::opens && context.signed_grants) look(context.signed_grants->grants);
    if (nearest_fit == Fit::opens) return nearest;
    if (nearest) why_not = explain(*nearest, nearest_fit, review, terms);
    return nullptr;
}

bool accepts(const BreakGlassTerms& terms, const Grant& grant) { return is_approved(terms, grant) && is_short_enough(terms, grant); }

bool is_for_this_cluster(const Grant& grant, const Context& context) {
    if (grant.cluster.empty()) return grant.signed_by.empty();
    return grant.cluster == context.cluster_name || (context.cluster && grant.cluster == context.cluster->cluster_uid);
}

bool same_person(std::string_view left, std::string_view right) {
    left = trimmed(left);
    right = trimmed(right);
    return ends_with_name(left, right) || ends_with_name(right, left);
}

std::string format_moment(WallTime time) { return format_rfc3339(time).substr(0, 19) + "Z"; }

std::string describe_use(const Grant& grant, std::size_t characters_max) {
    const std::string until = " until " + format_moment(grant.expires_at);
    const std::string named = "break-glass " + grant.name;
    const std::string with_ticket = named + " (" + grant.ticket + ")" + until;
    for (const std::string_view rest : {": recorded; Flux will put back what Git says", ": recorded"}) {
        if (with_ticket.size() + rest.size() <= characters_max) return with_ticket + std::string(rest);
    }
    return named + until + ": recorded";
}

}  // namespace fluxgate::policy
