#pragma once

// A grant in few words, for the tests of break-glass. What a test does not say is as in inc-4711: alice may update Deployments and
// scale them in production from 02:10 to 04:10, approved by PeterNeumann, whose key is published with Go's signed notes.

#include <map>
#include <string>
#include <string_view>

#include "policy/lock/signed_grants.hpp"
#include "tests/unit/policy/sample.hpp"

namespace fluxgate::policy::sample {

inline const std::string kApprover = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
inline const SignerKey& approver() {
    static const SignerKey key = SignerKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").value();
    return key;
}

inline WallTime at(std::string_view time) { return parse_rfc3339(time).value(); }

// Lines of a spec by their keys; an empty value leaves the line out.
using GrantLines = std::map<std::string, std::string>;

inline std::string grant(const GrantLines& changes = {}, std::string_view name = "inc-4711") {
    GrantLines lines{
        {"subjects", "[{kind: User, name: alice@example.com}]"},
        {"match",
         "{namespaces: [production], names: [\"web*\"], resourceRules: [{apiGroups: [apps], apiVersions: [\"*\"], resources: [deployments, "
         "\"*/scale\"], operations: [UPDATE]}]}"},
        {"ticket", "INC-4711"},
        {"reason", "Payment time-outs."},
        {"requestedBy", "alice@example.com"},
        {"approvedBy", "PeterNeumann"},
        {"cluster", "prod-1"},
        {"notBefore", "2026-12-05T02:10:00Z"},
        {"expiresAt", "2026-12-05T04:10:00Z"},
    };
    for (const auto& [key, value] : changes) lines[key] = value;
    std::string text = "apiVersion: fluxgate.dev/v1alpha1\nkind: BreakGlass\nmetadata: {name: " + std::string(name) + "}\nspec:\n";
    for (const auto& [key, value] : lines) {
        if (!value.empty()) text += "  " + key + ": " + value + "\n";
    }
    return text;
}

inline std::string lock_with(std::string_view break_glass) {
    return rule("lock: {writers: [flux], breakGlass: " + std::string(break_glass) + "}");
}
inline const std::string kLock = lock_with("{maxDuration: 4h, approverKeys: [\"" + kApprover + "\"]}");

inline std::string signed_text(const std::string& text, const SignerKey& key = approver()) { return sign_note(text, key).value(); }

// UPDATE of Deployment production/web by alice.
inline Request update() {
    Request request;
    request.operation = "UPDATE";
    request.group = "apps";
    request.resource = "deployments";
    request.kind = "Deployment";
    request.object = R"({"metadata":{"name":"web","namespace":"production"},"spec":{"replicas":5}})";
    request.old_object = R"({"metadata":{"name":"web","namespace":"production"},"spec":{"replicas":2}})";
    return request;
}

}  // namespace fluxgate::policy::sample
