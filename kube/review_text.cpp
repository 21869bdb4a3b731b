#include "kube/review_text.hpp"

#include "kube/json.hpp"
#include "kube/path.hpp"

namespace fluxgate::kube {

std::string write_review(const ReviewParts& parts) {
    std::string out;
    out.reserve(parts.object.size() + parts.old_object.size() + parts.user.size() + 1'024);
    const auto field = [&](std::string_view name, std::string_view value) {
        out.append(",\"").append(name).append("\":");
        append_quoted(out, value);
    };
    out += R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":)";
    append_quoted(out, parts.uid);
    for (const std::string_view name : {"kind", "requestKind"}) {
        out.append(",\"").append(name).append("\":{\"group\":");
        append_quoted(out, parts.kind.group);
        field("version", parts.kind.version);
        field("kind", parts.kind.kind);
        out += '}';
    }
    for (const std::string_view name : {"resource", "requestResource"}) {
        out.append(",\"").append(name).append("\":{\"group\":");
        append_quoted(out, parts.resource.group);
        field("version", parts.resource.version);
        field("resource", parts.resource.resource);
        out += '}';
    }
    if (!parts.sub_resource.empty()) {
        field("subResource", parts.sub_resource);
        field("requestSubResource", parts.sub_resource);
    }
    if (!parts.name.empty()) field("name", parts.name);
    if (!parts.namespace_name.empty()) field("namespace", parts.namespace_name);
    field("operation", to_string(parts.operation));
    out.append(",\"userInfo\":").append(parts.user.empty() ? "{}" : parts.user);
    out.append(",\"object\":").append(parts.object.empty() ? "null" : parts.object);
    out.append(",\"oldObject\":").append(parts.old_object.empty() ? "null" : parts.old_object);
    out.append(",\"dryRun\":").append(parts.dry_run ? "true" : "false");
    out += ",\"options\":null}}";
    out.reserve(out.size() + kJsonSlack);
    return out;
}

}  // namespace fluxgate::kube
