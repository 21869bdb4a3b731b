#include "cli/messages.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

void print_problem(std::string_view message) { std::fprintf(stderr, "%s\n", log_line(message).c_str()); }

int refuse(std::string_view command, std::string_view message) {
    print_problem(fmt::format("fluxgate {}: {}", command, message));
    return kCouldNotEvaluate;
}

int refuse_policies(std::string_view command, std::string_view folder, const std::vector<std::string>& problems, std::size_t omitted) {
    for (const std::string& problem : problems) print_problem(problem);
    if (omitted > 0) print_problem(fmt::format("and {} more", omitted));
    return refuse(command, fmt::format("the policies in {} do not compile: {}; nothing was loaded", folder,
                                       counted(problems.size() + omitted, "problem")));
}

}  // namespace fluxgate::cli
