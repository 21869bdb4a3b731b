#include "cli/policies.hpp"

#include <charconv>
#include <cstdio>

namespace fluxgate::cli {

std::shared_ptr<const policy::PolicySet> load_policies(policy::PolicyFolder& folder) {
    auto change = folder.look(SystemClock().now());
    // A folder that changes while it is read (an editor, a checkout) is read again.
    for (int again = 0; again < 5 && !change; ++again) change = folder.look(SystemClock().now());
    const std::string directory = folder.directory().string();
    if (!change) {
        std::fprintf(stderr, "fluxgate: %s changes while it is read; try again\n", directory.c_str());
        return nullptr;
    }
    if (change->set) return change->set;
    for (const std::string& problem : change->problems) std::fprintf(stderr, "%s\n", problem.c_str());
    if (change->problems_omitted > 0) std::fprintf(stderr, "and %zu more\n", change->problems_omitted);
    std::fprintf(stderr, "fluxgate: the policies in %s do not compile: %zu problems; nothing was loaded\n", directory.c_str(),
                 change->problems.size() + change->problems_omitted);
    return nullptr;
}

std::string check_days(std::string& text) {
    std::string_view number = text;
    if (number.ends_with('d')) number.remove_suffix(1);
    unsigned days = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), days);
    if (error != std::errc() || end != number.data() + number.size() || days == 0 || days > 3660)
        return "\"" + text + "\" is no number of days; expected one such as 180d";
    text = std::to_string(days);
    return {};
}

}  // namespace fluxgate::cli
