#include "cli/policies.hpp"

#include <charconv>

#include "cli/messages.hpp"

namespace fluxgate::cli {

std::shared_ptr<const policy::PolicySet> load_policies(policy::PolicyFolder& folder, std::string_view command) {
    auto change = folder.look(SystemClock().now());
    // A folder that changes while it is read (an editor, a checkout) is read again.
    for (int again = 0; again < 5 && !change; ++again) change = folder.look(SystemClock().now());
    const std::string directory = folder.directory().string();
    if (!change)
        refuse(command, directory + " changes while it is read; try again");
    else if (!change->readable)
        refuse(command, change->problems.front());
    else if (!change->set)
        refuse_policies(command, directory, change->problems, change->problems_omitted);
    return change ? change->set : nullptr;
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
