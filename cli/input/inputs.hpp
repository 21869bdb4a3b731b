#pragma once

// Finds the manifests a command was given: files, folders, standard input. Reads them piece by piece, so that memory follows the
// largest document and not the whole input. Folders are read in order of names; links are followed, each folder once.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "cli/output/report.hpp"
#include "kube/manifest_object.hpp"

namespace fluxgate::cli {

// What a reader is told, in the order of the input.
struct InputEvents {
    // A value of a document: mostly a Kubernetes object, checked by nobody yet.
    std::function<void(const std::string& file, kube::ManifestObject&&)> object;
    // A part of the input that cannot be read (Level::error) or is not what the cluster will see (Level::not_judged).
    std::function<void(Level level, const Place& place, const std::string& message)> problem;
    // Which documents to read, by their text; empty: all.
    std::function<bool(std::string_view document)> wanted{};
    // Now and then, for a progress line; may be empty.
    std::function<void(std::uint64_t bytes, std::uint64_t bytes_total)> progress{};
};

class Inputs {
public:
    // `paths`: files, folders, "-". Standard input is put aside in a temporary file, because inputs are read more than once.
    Inputs(std::vector<std::string> paths, const Limits& limits);
    ~Inputs();
    Inputs(const Inputs&) = delete;
    Inputs& operator=(const Inputs&) = delete;

    // All of it, once; may be called again. A problem in one place ends the document it is in, not the run.
    void read(const InputEvents& events);
    std::size_t files() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace fluxgate::cli
