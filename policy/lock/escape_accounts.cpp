// The accounts that writer profiles name: whoever has a token of one, or a Pod of one, writes as it.
// Kubernetes' own accounts live in kube-system beside the platform's add-ons, which the platform changes under names that nobody
// publishes: there tokens and token Secrets are guarded, Pods and connections are the boundary (docs/explanation/trust-boundary.md).

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kube/pod_template.hpp"
#include "policy/lock/escape_request.hpp"

namespace fluxgate::policy {

namespace {

using kube::Json;

constexpr std::string_view kOnlyWriters = "an account that no writer profile names, or a change in Git";

void judge_token(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (request.guard().accounts.has(review.namespace_name, review.object_name()))
        request.refuse(findings, "a kubelet, for a Pod that it runs: whoever has the token is a writer");
}

void judge_account(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (review.namespace_name == kSystemNamespace || finishes_a_delete(review)) return;
    if (request.guard().accounts.has(review.namespace_name, review.object_name())) request.refuse(findings, std::string(kOnlyWriters));
}

// https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
void judge_token_secret(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (review.object["type"].text() != "kubernetes.io/service-account-token") return;
    const std::string_view account = review.object["metadata"]["annotations"]["kubernetes.io/service-account.name"].text();
    if (!request.guard().accounts.has(review.namespace_name, account)) return;
    constexpr std::string_view kPath = R"(.metadata.annotations["kubernetes.io/service-account.name"])";
    request.refuse(findings, "no Secret with a token of a writer");
    findings.add(std::string(kPath), fmt::format("\"{}\"", account), std::string(kOnlyWriters));
}

// Who runs what this spec says, if a writer profile names him; else empty.
std::string_view find_guarded_account(const EscapeRequest& request, Json spec) {
    // `serviceAccount` is the old name of the same field; what only the old one says is taken over.
    const std::string_view name = spec["serviceAccountName"].text();
    const std::string_view old_name = spec["serviceAccount"].text();
    const std::string_view used = !name.empty() ? name : !old_name.empty() ? old_name : std::string_view("default");
    for (const std::string_view account : {used, old_name}) {
        if (!account.empty() && request.guard().accounts.has(request.review.namespace_name, account)) return account;
    }
    return {};
}

void judge_pod_spec(const EscapeRequest& request, Json spec, std::string_view path, Findings& findings) {
    const std::string_view account = find_guarded_account(request, spec);
    if (account.empty()) return;
    request.refuse(findings, "a change in Git: what runs in this Pod writes as a writer");
    findings.add(fmt::format("{}.serviceAccountName", path), fmt::format("\"{}\"", account), std::string(kOnlyWriters));
}

void judge_pods(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    // The status of a StatefulSet names the revision that its Pods are made of.
    const bool names_revision = review.sub_resource == "status" && request.is("apps", "statefulsets");
    const bool of_object = review.sub_resource.empty() || review.sub_resource == "ephemeralcontainers" || names_revision;
    if (!request.is_write() || !of_object || review.namespace_name == kSystemNamespace) return;
    // The controllers of StatefulSets and DaemonSets make Pods of it, with the template as it is here.
    if (request.is("apps", "controllerrevisions"))
        return judge_pod_spec(request, review.object["data"]["spec"]["template"]["spec"], ".data.spec.template.spec", findings);
    const auto pod = kube::find_pod_template(review.resource, review.object);
    if (pod && !pod->spec.absent_or_null()) judge_pod_spec(request, pod->spec, pod->spec_path, findings);
}

// What monitoring reads from a kubelet through the API server; everything else, `exec` and `run` among it, is a way into any Pod.
bool reads_metrics(std::string_view path) {
    constexpr std::array<std::string_view, 7> kPaths{"healthz",          "metrics",      "metrics/cadvisor", "metrics/probes",
                                                     "metrics/resource", "metrics/slis", "stats/summary"};
    if (path.starts_with('/')) path.remove_prefix(1);
    return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

}  // namespace

void judge_accounts(const EscapeRequest& request, Findings& findings) {
    if (request.is("", "serviceaccounts")) {
        if (request.review.sub_resource == "token") return judge_token(request, findings);
        return judge_account(request, findings);
    }
    if (request.is("", "secrets")) {
        judge_token_secret(request, findings);
        return judge_substitutes(request, findings);
    }
    judge_pods(request, findings);
}

void judge_connections(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (request.is("", "nodes")) {
        if (!reads_metrics(review.object["path"].text()))
            request.refuse(findings, "no connection to a kubelet: it opens every Pod of the node");
        return;
    }
    // The review does not show the Pod, so that its namespace decides.
    if (review.namespace_name == kSystemNamespace) return;
    if (request.guard().accounts_in_pods.has_in(review.namespace_name))
        request.refuse(findings, "no connection into a namespace where Pods of writers run");
}

}  // namespace fluxgate::policy
