#pragma once

// Writer profiles as people read them: YAML in the shape of WriterProfile files. For commands.

#include <string>

#include "policy/lock/writers.hpp"

namespace fluxgate::policy {

// One document, with its end of line and without "---".
std::string to_yaml(const WriterProfile& profile);

}  // namespace fluxgate::policy
