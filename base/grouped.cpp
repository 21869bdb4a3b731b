#include "base/grouped.hpp"

namespace fluxgate {

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
    return text;
}

std::string grouped(std::uint64_t number, std::string_view noun) {
    std::string text = grouped(number);
    text.append(" ").append(noun);
    return number == 1 ? text : text + "s";
}

}  // namespace fluxgate
