#pragma once

// Shell completion, made from the command line's own definition, so that it knows every command and flag there is.
//
// Completed are commands, flags, the values of flags and arguments that take one of a few, and files for all other values but numbers;
// folders only where the type's name says DIR.

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace fluxgate::cli {

enum class Shell { bash, zsh, fish };

std::string completion_script(const CLI::App& app, Shell shell);

}  // namespace fluxgate::cli
