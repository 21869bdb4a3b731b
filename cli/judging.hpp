#pragma once

// The input of the commands that judge: manifests or recorded reviews, who is said to write them, and when. `check`, `policy explain`
// and `policy diff` take the same flags and read in the same way, so that what one says holds for the others.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/output/report.hpp"
#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace CLI {
class App;
}

namespace fluxgate::cli {

struct JudgingFlags {
    std::vector<std::string> paths{};
    std::string reviews{};
    std::string as = "flux";
    std::vector<std::string> groups{};
    std::string operation{};
    std::string old{};
    std::string time{};
    std::string namespace_name = "default";
    bool dry_run = false;
    bool without_presence = false;
};

// The paths as positional arguments `name`, and all other flags. `flags` must outlive the parsing.
void add_judging_flags(CLI::App& command, JudgingFlags& flags, const std::string& name = "PATH");

struct JudgingEvents {
    // One object of the input, or a part that could not become one, as each of the sets judges it, in the order of the sets.
    std::function<void(std::vector<Judged>&&)> judged;
    // What a Judged does not show; before `judged`, and not for what was not judged. May be empty.
    std::function<void(std::size_t set, const kube::Review&, const policy::Context&, const policy::Verdict&)> observe{};
    // Now and then; may be empty.
    std::function<void(std::uint64_t bytes, std::uint64_t bytes_total)> progress{};
};

// Judges the whole input by each of `sets`, which have the same limits; returns the number of files. Errors are of the flags
// (invalid_argument, with a message that names the flag) or io: then nothing, or not all, was judged.
Result<std::size_t> judge_input(const JudgingFlags& flags, const std::vector<const policy::PolicySet*>& sets, const JudgingEvents& events);

}  // namespace fluxgate::cli
