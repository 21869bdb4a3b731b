// fluxgate: one binary, a subcommand for each job.

#include <cstdio>
#include <exception>
#include <iostream>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"

namespace {

using namespace fluxgate::cli;

// A full disk, a closed pipe: who reads the output must not take a part for the whole.
int with_output_written(int exit_code) {
    std::cout.flush();
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
    if (written || exit_code == kCouldNotEvaluate) return exit_code;
    print_problem("fluxgate: standard output cannot be written");
    return kCouldNotEvaluate;
}

// Flags may be made of names of files.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
    return CLI::FailureMessage::simple(app, CLI::Error(error.get_name(), log_line(error.what()), error.get_exit_code()));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Fluxgate keeps a Flux cluster as Git says: if it is not in Git, it does not exist.", "fluxgate"};
    app.set_version_flag("--version", FLUXGATE_VERSION);
    app.require_subcommand(1);
    app.footer("Start with `fluxgate demo`. Exit codes: 0 clean, 1 findings, 2 could not evaluate.");
    app.failure_message(usage_error);
    Run run;
    add_serve(app, run);
    add_check(app, run);
    add_test(app, run);
    add_policy(app, run);
    add_grant(app, run);
    add_audit(app, run);
    add_demo(app, run);
    add_completion(app, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
        // CLI11 asks for a subcommand without saying that it does not know the one that was given.
        const std::string_view word = argc > 1 ? argv[1] : "";
        if (!word.empty() && word.front() != '-' && app.get_subcommands().empty()) {
            print_problem("fluxgate: there is no command \"" + std::string(word) + "\"; `fluxgate --help` lists them");
            return kCouldNotEvaluate;
        }
        return with_output_written(app.exit(error) == 0 ? kClean : kCouldNotEvaluate);
    } catch (const CLI::ParseError& error) {
        return with_output_written(app.exit(error) == 0 ? kClean : kCouldNotEvaluate);
    }
    try {
        return with_output_written(run());
    } catch (const std::exception& error) {
        print_problem(std::string("fluxgate: an error inside Fluxgate: ") + error.what());
        return kCouldNotEvaluate;
    }
}
