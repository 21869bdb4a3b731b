#pragma once

// A folder of policy files, watched: says when it holds another set, or can no longer be compiled. It looks at names, sizes, times
// and inodes, so that looking is cheap and the way Kubernetes swaps a mounted ConfigMap (`..data` points to a new folder) is seen
// like an edit; and it compiles only what stood still while it was read.
//
// A resource for one thread. Whoever owns it keeps the last good set.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "policy/loader.hpp"

namespace fluxgate::policy {

class PolicyFolder {
public:
    PolicyFolder(std::filesystem::path directory, CompileOptions options)
        : directory_(std::move(directory)), options_(std::move(options)) {}

    // What a look found: a set, or why there is none.
    struct Change {
        std::shared_ptr<const PolicySet> set;
        std::vector<std::string> problems;  // file:line:column: message; or that the folder cannot be read
        std::size_t problems_omitted = 0;
        bool readable = true;  // else the one problem says why the folder could not be read
    };
    // Nothing if the folder is as it was at the last look, or changes while it is read: then the next look decides. `now` is what
    // the horizon of exceptions counts from.
    std::optional<Change> look(WallTime now);

    // The files of the last good set as `archive_of` has them, once; empty when it was taken. Nobody else keeps them.
    std::string take_archive() { return std::exchange(archive_, {}); }

    const std::filesystem::path& directory() const { return directory_; }

private:
    std::optional<Change> remember(const std::string& seen, Change change);

    std::filesystem::path directory_;
    CompileOptions options_;
    std::optional<std::string> seen_;  // fingerprint of the folder that was compiled last
    std::string digest_;               // of the last good set
    std::string archive_;              // of the last good set, until it is taken
    bool good_ = false;                // was the last one good?
    WallTime tried_{};                 // when it was compiled
    std::vector<std::string> problems_;
};

}  // namespace fluxgate::policy
