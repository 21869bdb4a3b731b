#pragma once

// One AdmissionReview request (admission.k8s.io/v1), read without copying.
// Protocol: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
//
// A Review is a bundle of views into the ReviewReader that made it: valid until that reader reads again or ends.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube {

enum class Operation : std::uint8_t { create, update, remove, connect };
std::string_view to_string(Operation operation);  // as Kubernetes writes it: CREATE, UPDATE, DELETE, CONNECT

struct GroupVersionKind {
    std::string_view group;  // "" is the core group
    std::string_view version;
    std::string_view kind;
};

struct GroupVersionResource {
    std::string_view group;
    std::string_view version;
    std::string_view resource;  // plural, lower case: "deployments"
};

// As the API server authenticated the caller. Everything else in a review can be set by any client.
struct UserInfo {
    std::string_view username;
    std::string_view uid;  // "" for certificates and impersonation
    Json groups;           // array of strings, or absent
    Json extra;            // object of arrays of strings, or absent

    bool in_group(std::string_view group) const;
    // The first value of an extra key, "" if absent.
    std::string_view extra_value(std::string_view key) const;
};

struct Review {
    std::string_view uid;
    GroupVersionKind kind;            // of `object`, after matchPolicy conversion: what policy judges
    GroupVersionResource resource;    // of the request, after matchPolicy conversion
    std::string_view sub_resource;    // "" for the object itself
    std::string_view name;            // may be "" (generateName, deletecollection): see `object_name`
    std::string_view namespace_name;  // "" for cluster-scoped objects; the name itself for a Namespace
    Operation operation = Operation::create;
    UserInfo user;
    bool dry_run = false;
    std::string_view field_manager;  // a hint; any client sets it
    Json object;                     // absent for DELETE
    Json old_object;                 // absent for CREATE and CONNECT

    // From the request, else from the object or the old one, else generateName with '*'; deletecollection sends "".
    std::string object_name() const;
    // "deployments.apps", "deployments.apps/scale", "pods".
    std::string resource_name() const;
    // Objects and their status carry labels; scale, eviction, tokens and connections do not.
    bool carries_labels() const;
    // The newest state the review shows: `object`, else `old_object`.
    Json newest() const { return object.absent_or_null() ? old_object : object; }
};

// Why a body is no review, and whom to answer anyway.
struct UnreadableReview {
    Error error;
    std::string uid;  // of the request if it could be read, else ""
};

// A resource: one thread at a time, reused from review to review.
class ReviewReader {
public:
    explicit ReviewReader(const Limits& limits) : json_(limits) {}

    // `body` must be followed by `kJsonSlack` readable bytes. Errors: those of JsonReader::read and
    //   unsupported_version  another apiVersion or kind, or a response without request
    //   missing_field, wrong_type  with the JSON pointer
    //   contradictory  operation and objects do not fit, or name, namespace or kind differ between request and object
    tl::expected<Review, UnreadableReview> read(std::string_view body);

private:
    JsonReader json_;
};

}  // namespace fluxgate::kube
