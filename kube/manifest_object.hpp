#pragma once

// Manifests as people and tools write them: what `kustomize build`, `helm template`, `kubectl get` and editors leave, in YAML or
// JSON, read into JSON for the evaluator with the place of every field for whoever has to mend it.
//
// The reader of policy files (kube/manifest.hpp) is strict; this one takes what `kubectl apply` and Flux take, and gives it the
// meaning they give it: both read YAML with go-yaml, a port of libyaml, so libyaml reads it here, and plain scalars are resolved
// by go-yaml's table (0777 is octal, a timestamp stays text; sigs.k8s.io/yaml). Where the two disagree it refuses: `yes`, `on` and the
// like without quotes, as values, are booleans to kubectl and text to kustomize, so to Flux. What is JSON is read as JSON, as there. Anchors, aliases and merge keys are legal; what they expand to is bounded. Duplicate keys are a problem, as they
// are to kustomize and to Flux. tests/manifests compares with the Go readers, and lists what differs and why.
// Time is linear in the text and in what is written.
//
// libyaml lives in manifest_object.cpp only.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "kube/json.hpp"
#include "kube/manifest.hpp"

namespace fluxgate::kube {

// Where a value and all below it stand, in the order of the JSON text: a value, then its children.
struct ValuePlace {
    Position position;          // of the key of a mapping's entry; of the value itself elsewhere
    std::uint32_t subtree = 1;  // this value and all below it
};

// One object of a file. A value; it owns what it shows.
struct ManifestObject {
    std::string json;   // compact; with room for kJsonSlack behind it, as from with_slack
    Position position;  // of its first field
    std::vector<ValuePlace> places;

    // Where the field of a violation stands, or the nearest of its parents that is there. `object` is this object as read by a
    // JsonReader; `path` as kube/path.hpp writes it: .spec.template.spec.containers[name="web"].image
    Position locate(Json object, std::string_view path) const;
};

// Reads one document at a time. A resource: one thread at a time; reused, so that its memory is.
class ManifestReader {
public:
    explicit ManifestReader(const Limits& limits);
    ~ManifestReader();
    ManifestReader(const ManifestReader&) = delete;
    ManifestReader& operator=(const ManifestReader&) = delete;

    // f(ManifestObject&&) for the value of each document in `text`, whose first line is `line`; an item at a time for lists
    // (objects with `items`), also within lists. Empty documents and nulls are passed over. Values that are no mappings
    // are given too: the caller says what was expected. Stops at the first problem: invalid_yaml, invalid_utf8, duplicate_key, too_deep
    // (json_depth_max), too_many_nodes (json_nodes_max, aliases expanded).
    std::optional<ReadProblem> read(std::string_view text, int line, const std::function<void(ManifestObject&&)>& f);

private:
    class Tape;
    std::unique_ptr<Tape> tape_;
};

}  // namespace fluxgate::kube
