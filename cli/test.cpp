#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

void add_test(CLI::App& app, Run& run) {
    static_cast<void>(app);
    static_cast<void>(run);
}

}  // namespace fluxgate::cli
