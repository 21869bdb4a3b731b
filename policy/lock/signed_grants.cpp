#include "policy/lock/signed_grants.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "policy/decode_grant.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kRevocationHead = "fluxgate.dev/revocation/v1";

// A note that at least one approver signed.
struct ApprovedNote {
    std::string text{};
    std::vector<VerifierKey> signed_by{};
};

Result<ApprovedNote> read_approved(std::string_view text, const std::vector<VerifierKey>& approvers) {
    auto note = SignedNote::parse(text);
    if (!note) return tl::unexpected(note.error());
    auto keys = note->verify(approvers);
    if (!keys) return tl::unexpected(keys.error());
    if (keys->empty()) {
        std::vector<std::string> names;
        for (const SignedNote::Signature& signature : note->signatures)
            names.push_back(fmt::format("{} ({:08x})", signature.name, signature.id));
        names.resize(std::min<std::size_t>(names.size(), 3));
        return fail(Errc::invalid_argument,
                    fmt::format("signed by {}, whose key is in breakGlass.approverKeys of no lock", fmt::join(names, ", ")));
    }
    return ApprovedNote{std::move(note->text), std::move(*keys)};
}

// "KEY: VALUE\n" at the front of `rest`, which moves on.
std::optional<std::string_view> take_line(std::string_view& rest, std::string_view key) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!line.starts_with(key) || line.size() <= key.size() + 2 || line.substr(key.size(), 2) != ": ") return std::nullopt;
    return line.substr(key.size() + 2);
}

bool is_digest(std::string_view text) {
    constexpr std::string_view kPrefix = "sha256:";
    return text.size() == kPrefix.size() + 64 && text.starts_with(kPrefix) &&
           text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

// What reads offers into a SignedGrants. Each note is looked at once, however many ConfigMaps hold a copy of it.
class Reading {
public:
    Reading(const std::vector<OfferedGrant>& offered, const PolicySet& set, const Limits& limits)
        : offered_(offered), limits_(limits), approvers_(approver_keys_of(set)) {}

    SignedGrants run() && {
        for (const OfferedGrant* offer : first_with(&OfferedGrant::revocation)) add_revocation(*offer);
        const auto grants = first_with(&OfferedGrant::note);
        if (grants.size() > SignedGrants::kGrantsMax) {
            read_.problems.insert(read_.problems.begin(),
                                  fmt::format("{} different signed grants are offered, at most {} are read: none is accepted",
                                              grants.size(), SignedGrants::kGrantsMax));
            return std::move(read_);
        }
        for (const OfferedGrant* offer : grants) add_grant(*offer);
        return std::move(read_);
    }

private:
    // The first offer of each note.
    std::vector<const OfferedGrant*> first_with(std::string OfferedGrant::*note) const {
        std::vector<const OfferedGrant*> offers;
        std::unordered_set<std::string_view> known;
        for (const OfferedGrant& offer : offered_) {
            if (!(offer.*note).empty() && known.insert(offer.*note).second) offers.push_back(&offer);
        }
        return offers;
    }

    void complain(const OfferedGrant& offer, std::string_view field, const Error& error) {
        if (read_.problems.size() == kProblemsMax) return;
        read_.problems.push_back(fmt::format("ConfigMap {}: data.{}: {}", offer.config_map, field, error.message));
    }

    void add_revocation(const OfferedGrant& offer) {
        auto revocation = read_revocation(offer.revocation, approvers_);
        if (!revocation) return complain(offer, "revocation", revocation.error());
        // Another signature of the same makes another note.
        if (std::find(read_.revocations.begin(), read_.revocations.end(), *revocation) == read_.revocations.end())
            read_.revocations.push_back(std::move(*revocation));
    }

    void add_grant(const OfferedGrant& offer) {
        auto grant = read_signed_grant(offer.note, approvers_, limits_);
        if (!grant) return complain(offer, "grant", grant.error());
        const auto same = [&](const Grant& known) { return known.digest == grant->digest; };
        if (std::any_of(read_.grants.begin(), read_.grants.end(), same)) return;
        read_.grants.push_back(std::move(*grant));
        read_.config_maps.push_back(offer.config_map);
    }

    static constexpr std::size_t kProblemsMax = 1'000;  // for the log

    const std::vector<OfferedGrant>& offered_;
    const Limits& limits_;
    const std::vector<VerifierKey> approvers_;
    SignedGrants read_;
};

}  // namespace

bool SignedGrants::is_revoked(const Grant& grant) const {
    return std::any_of(revocations.begin(), revocations.end(), [&](const Revocation& entry) { return ends(entry, grant); });
}

SignedGrants SignedGrants::read(const std::vector<OfferedGrant>& offered, const PolicySet& set, const Limits& limits) {
    return Reading(offered, set, limits).run();
}

std::vector<VerifierKey> approver_keys_of(const PolicySet& set) {
    std::vector<VerifierKey> keys;
    for (const Policy& policy : set.policies) {
        for (const Rule& rule : policy.rules) {
            const auto* lock = std::get_if<LockRule>(&rule.body);
            if (!lock || !lock->break_glass) continue;
            for (const VerifierKey& key : lock->break_glass->approver_keys) {
                if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
            }
        }
    }
    return keys;
}

Result<Grant> read_signed_grant(std::string_view note, const std::vector<VerifierKey>& approvers, const Limits& limits) {
    auto approved = read_approved(note, approvers);
    if (!approved) return tl::unexpected(approved.error());
    Problems problems(1);
    problems.in_file("grant");
    auto grant = read_grant(approved->text, limits, problems);
    if (!grant) return fail(Errc::invalid_policy, to_string(problems.list().front()));
    const auto by_approver = [&](const VerifierKey& key) { return key.name == grant->approved_by; };
    if (std::none_of(approved->signed_by.begin(), approved->signed_by.end(), by_approver)) {
        return fail(Errc::invalid_policy, fmt::format("spec.approvedBy is {}, and the signature is by {}: the name of the key is expected",
                                                      grant->approved_by, approved->signed_by.front().name));
    }
    if (grant->cluster.empty()) {
        return fail(Errc::invalid_policy, "spec.cluster is missing: a signed grant names the one cluster that it is for");
    }
    grant->digest = digest_of_text(approved->text);
    grant->signed_by = std::move(approved->signed_by);
    return std::move(*grant);
}

bool ends(const Revocation& revocation, const Grant& grant) {
    return revocation.digest == grant.digest || revocation.digest == grant.meaning;
}

Result<Revocation> read_revocation(std::string_view note, const std::vector<VerifierKey>& approvers) {
    const auto approved = read_approved(note, approvers);
    if (!approved) return tl::unexpected(approved.error());
    std::string_view rest = approved->text;
    const std::size_t head = rest.find('\n');
    const bool headed = rest.substr(0, head) == kRevocationHead;
    rest.remove_prefix(head + 1);
    const auto name = take_line(rest, "name");
    const auto digest = take_line(rest, "digest");
    const auto end = take_line(rest, "expiresAt");
    const auto expires_at = end ? parse_rfc3339(*end) : Result<WallTime>(WallTime{});
    if (!headed || !name || !digest || !is_digest(*digest) || !end || !expires_at || !rest.empty()) {
        return fail(Errc::invalid_policy,
                    fmt::format("is no revocation; expected \"{}\", then name, digest and expiresAt, a line each, as `fluxgate grant end` "
                                "writes it",
                                kRevocationHead));
    }
    return Revocation{std::string(*name), std::string(*digest), *expires_at};
}

std::string revocation_text(const Revocation& revocation) {
    return fmt::format("{}\nname: {}\ndigest: {}\nexpiresAt: {}\n", kRevocationHead, revocation.name, revocation.digest,
                       format_moment(revocation.expires_at));
}

std::string digest_of_text(std::string_view text) { return "sha256:" + sha256_hex(text); }

}  // namespace fluxgate::policy
