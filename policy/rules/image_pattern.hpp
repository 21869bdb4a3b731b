#pragma once

// A pattern for the repository of container images: "myacr.azurecr.io/net-tool" is that repository with any tag and any
// digest, and nothing else: not net-tool2, not net-tool/extra, not another registry. `*` is any run of characters within one
// component, so "myacr.azurecr.io/tools/*" covers the repositories of that folder. Names are completed as container runtimes
// do it: "nginx" is docker.io/library/nginx. Immutable, for any number of threads.
// Grammar: https://github.com/distribution/reference

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "policy/glob.hpp"

namespace fluxgate::policy {

class ImagePattern {
public:
    // Error invalid_argument: an empty component, a tag or digest, a character no image has, or a star that leaves open
    // whether it stands for a registry.
    static Result<ImagePattern> compile(std::string_view pattern);

    // `image` is what a container says; allocates nothing.
    bool matches(std::string_view image) const;

private:
    ImagePattern(Glob registry, std::vector<Glob> path) : registry_(std::move(registry)), path_(std::move(path)) {}
    Glob registry_;
    std::vector<Glob> path_;  // the components behind the registry
};

}  // namespace fluxgate::policy
