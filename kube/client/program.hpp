#pragma once

// Runs another program to its end and takes what it says: credential plugins.

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::kube::client {

struct Program {
    std::string command = {};  // a path, or a name to find in PATH
    std::vector<std::string> arguments = {};
    std::vector<std::pair<std::string, std::string>> environment = {};  // beside our own, and before it
    std::chrono::milliseconds timeout{60'000};
    std::size_t output_bytes_max = 1u << 20;  // of each of the two outputs
};

struct ProgramOutput {
    int exit_code = 0;  // 128 + N after signal N, as shells say it
    std::string standard_output = {};
    std::string standard_error = {};
};

// The program has no input, its own process group, and is killed with its children when it is late, says too much, or is wanted no more
// (`stop`, from any thread).
// Errors: io (cannot be started), deadline_exceeded, too_large, peer (stopped).
Result<ProgramOutput> run_program(const Program& program, const std::stop_token& stop = {});

}  // namespace fluxgate::kube::client
