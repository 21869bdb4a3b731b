#pragma once

// Rule `images`: where images may come from, and how firmly they must be named.
//
// Judged: the image of every container of the three lists, and of every image volume (`volumes[].image`).
// How a name is read: kube/image_reference.hpp. What is no image name is a violation, never skipped.
// Semantics (https://kubernetes.io/docs/concepts/containers/images/):
//   - `registries` covers whole components; the registry that a name leaves out counts as written.
//   - A digest pins: such an image needs no tag, and `denyTags` says nothing about it. Without tag and digest the tag is "latest".
//   - An absent imagePullPolicy counts as what the API server fills in (pkg/apis/core/v1/defaults.go, SetDefaults_Container):
//     Always for the tag "latest", with a digest too, and for neither tag nor digest; else IfNotPresent.

#include <string>
#include <vector>

#include "kube/image_reference.hpp"
#include "kube/pod_template.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"
#include "policy/glob.hpp"

namespace fluxgate::policy {

struct ImagesRule {
    std::vector<kube::ImagePrefix> registries;  // empty: any
    bool require_tag = false;
    bool require_digest = false;
    std::vector<Glob> deny_tags;
    std::vector<std::string> pull_policies;  // empty: any

    static ImagesRule decode(Mapping& fields);
    // Every request that can bring an image into a pod.
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty() || review.sub_resource == "ephemeralcontainers"; }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

}  // namespace fluxgate::policy
