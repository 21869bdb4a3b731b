#pragma once

// What a command says on standard error. Names, paths and values in it may come from files of a stranger, so each message is one
// line, with nothing in it that a terminal or a pipeline acts on.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fluxgate::cli {

// A line; a path in front makes it one that editors jump to.
void print_problem(std::string_view message);

// "fluxgate check: …"; returns kCouldNotEvaluate.
int refuse(std::string_view command, std::string_view message);

// Why the policies of `folder` do not compile: every problem, a line each, and how many there are. Returns kCouldNotEvaluate.
int refuse_policies(std::string_view command, std::string_view folder, const std::vector<std::string>& problems, std::size_t omitted);

}  // namespace fluxgate::cli
