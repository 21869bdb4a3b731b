#pragma once

// What an UPDATE by somebody who is no writer does to the fields that Git declares: `scope: fields` of the lock.
//
// The declared set is what Flux's entries in oldObject.metadata.managedFields name, so nothing but the review is needed: no
// schema, no API call. Both objects are walked together with that set, once: the cost is linear in them, but for sorting the
// members of an object whose order differs and finding the items of a declared list (n log n).
//
// Refused: any difference at a declared path, beneath a declared leaf, or in which items a declared list has and in which
// order; any difference in labels and annotations that steer Flux, in metadata but labels and annotations, in apiVersion and
// kind; any difference in Flux's own entries; a field manager that takes Flux's name. All else is an addition: fields that
// Git does not declare, added, changed or removed.
//
// Left to the API server, which writes them itself and lets nobody else: resourceVersion, generation, uid,
// creationTimestamp, selfLink, and managedFields entries that are not Flux's. The status of a kind with a status subresource
// is reset to the old one before admission, so it needs no exception.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "kube/admission_review.hpp"
#include "kube/object_changes.hpp"
#include "policy/lock/additions.hpp"

namespace fluxgate::policy {

struct FieldFindings {
    // Why the object is locked as a whole; empty if its fields could be told apart, and only then is the rest of use.
    std::string locked_whole{};
    kube::Changes refused{};    // `want` says why
    kube::Changes additions{};  // that `allow` does not name
};

// At most `changes_max` of each are named. On Flux's own objects and on Namespaces only annotations that `allow` names are
// additions; everything else is in `refused`.
FieldFindings judge_fields(const kube::Review& review, const Additions& additions, const Limits& limits, std::size_t changes_max);

// Of an UPDATE: differences in Flux's entries in managedFields, even such that change no value, and a field manager that takes the
// name of one of Flux's. Entries that cannot be read are a difference. Whoever changes a value that Git declares takes it out of
// Flux's entry into his own; where a lock lets him, `may_shrink` lets that pass, and nothing else.
enum class FluxEntries : std::uint8_t { stay, may_shrink };
kube::Changes find_flux_entry_changes(const kube::Review& review, FluxEntries entries, const Limits& limits);

// Does Flux declare fields of this object? Also true if that cannot be read.
bool is_declared_by_flux(kube::Json object);

}  // namespace fluxgate::policy
