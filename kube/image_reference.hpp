#pragma once

// Names of container images, read as containerd and the kubelet read them.
//
// Grammar and normal form: https://pkg.go.dev/github.com/distribution/reference (ParseNormalizedNamed), digests as in
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests. The traps:
//   - The first component is a registry only if it has a '.' or ':' or is "localhost"; otherwise the image is on docker.io,
//     and a single name there is below "library": `nginx` is docker.io/library/nginx. index.docker.io is docker.io.
//   - The tag stands behind the last ':' of the last component: `registry:5000/nginx` has none.
//   - Only the host ignores case.

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate::kube {

// Views into the text it was parsed from, which must live as long.
struct ImageReference {
    std::string_view registry;    // host and port as written; "docker.io" if none is written or index.docker.io is
    bool in_library = false;      // `repository` stands below "library", which is not written
    std::string_view repository;  // "team/web"
    std::string_view tag;         // "" if absent
    std::string_view digest;      // "sha256:…"; "" if absent

    // Allocates only for the error (invalid_argument), whose message ends a sentence that begins with the image: "is empty".
    static Result<ImageReference> parse(std::string_view text);

    // "docker.io/library/nginx": without tag and digest.
    std::string full_name() const;

    friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// A registry, or the part of one below a path: "myacr.azurecr.io", "myacr.azurecr.io/team", "*.azurecr.io". Covers every
// repository at and below it; components are compared whole, so "myacr.azurecr.io" is not "myacr.azurecr.io.evil.com" and
// "…/team" is not "…/team2". A "*." in front stands for exactly one label of the host. A port must be equal.
class ImagePrefix {
public:
    // Error invalid_argument: no registry, a tag or digest, characters that no image name has.
    static Result<ImagePrefix> parse(std::string_view text);

    bool covers(const ImageReference& image) const;
    const std::string& text() const { return text_; }  // as written

private:
    std::string text_;
    std::string host_;  // lower case; without "*." if any_label_
    std::string path_;  // "" for the whole registry
    bool any_label_ = false;
};

}  // namespace fluxgate::kube
