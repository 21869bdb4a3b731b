#pragma once

// What an UPDATE would change, field by field, the way a person reads it. For messages and records: it never decides.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.hpp"

namespace fluxgate::kube {

struct Change {
    std::string path;  // .spec.template.spec.containers[name="web"].image
    std::string have;  // the requested value, "(absent)" when it is removed
    std::string want;  // the value stored now, "(absent)" when it is added

    friend bool operator==(const Change&, const Change&) = default;
};

struct Changes {
    std::vector<Change> list;
    std::size_t omitted = 0;  // beyond `changes_max`

    bool empty() const { return list.empty() && omitted == 0; }
};

// Left out: what the API server writes itself (managedFields, resourceVersion, generation, uid, creationTimestamp).
// Lists whose items all have distinct names are compared by name, others by index. Values are one line of at most
// 80 characters, paths at most 1,000. Never shown: values of Secrets and ConfigMaps (`kind`), command and args, the `value`
// of anything that has a name (env, headers, parameters), annotations that repeat the object, and fields whose name speaks
// of a password, token, secret, credential, API key or private key; they read "(not shown)". Costs n log n.
Changes find_changes(Json old_object, Json new_object, std::string_view kind, std::size_t changes_max);

// The same for one part of an object, at `path`; `hidden` if an enclosing field must not be shown.
Changes find_changes_below(std::string path, bool hidden, Json before, Json after, std::string_view kind, std::size_t changes_max);

// Must the value of this field not be shown, with all below it? `path` ends with the field, which is a member of both parents.
bool hides_value(std::string_view kind, std::string_view path, std::string_view field, Json old_parent, Json new_parent);

}  // namespace fluxgate::kube
