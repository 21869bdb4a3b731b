#pragma once

// Rule `ingress`: which hosts an Ingress may claim, by which controller, and with TLS.
//
// Semantics (https://kubernetes.io/docs/concepts/services-networking/ingress/):
//   - A rule without a host, and an Ingress without rules, claim every host: a violation where `hosts` is given.
//   - "*.shop.example.com" in the policy covers every host below shop.example.com, at any depth, and not shop.example.com itself.
//     An Ingress's own wildcard is covered if all that it claims is: *.eu.shop.example.com is, *.example.com is not.
//   - TLS covers a host that an entry of spec.tls names, or its wildcard one label up; an entry without hosts covers all.
//   - The class is spec.ingressClassName or the annotation kubernetes.io/ingress.class; with both, both count.
// Gateways and HTTPRoutes are other resources, which this rule does not look at.

#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct IngressRule {
    std::vector<std::string> hosts;  // whole, or "*.suffix"; empty: any
    bool require_tls = false;
    std::vector<std::string> classes;  // empty: any

    static IngressRule decode(Mapping& fields);
    static bool understands(std::string_view group, std::string_view resource) {
        return resource == "ingresses" && (group == "networking.k8s.io" || group == "extensions");
    }
    void judge(const kube::Review& review, kube::Json object, Findings& findings) const;
    bool same_inputs(const kube::Review& review, kube::Json before, kube::Json after) const;
};

}  // namespace fluxgate::policy
