#pragma once

// `metadata.managedFields`: who declared which fields of an object.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
//
// The API server writes it before admission, in the new object and the old one. It keeps to this form, so what does not is
// an error here and nothing to guess about.

#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube {

// A bundle of views: valid as long as the object it was read from.
struct ManagedFieldsEntry {
    std::string_view manager;
    std::string_view operation;  // "Apply" or "Update"
    std::string_view api_version;
    std::string_view sub_resource;  // "" for the object itself
    Json fields;                    // fieldsV1, an object
    Json whole;                     // the entry, with its time
};

// In the order of the object; none if it has no managedFields. Errc::invalid_field_set, with the JSON pointer, for anything
// but a list of entries with an operation, an apiVersion and fields of type FieldsV1.
Result<std::vector<ManagedFieldsEntry>> read_managed_fields(Json object);

}  // namespace fluxgate::kube
