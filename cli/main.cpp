// fluxgate: one binary, a subcommand for each job.

#include <cstdio>
#include <exception>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

int main(int argc, char** argv) {
    CLI::App app{"Fluxgate keeps a Flux cluster as Git says: if it is not in Git, it does not exist.", "fluxgate"};
    app.set_version_flag("--version", FLUXGATE_VERSION);
    app.require_subcommand(1);
    app.footer("Start with `fluxgate demo`. Exit codes: 0 clean, 1 findings, 2 could not evaluate.");
    fluxgate::cli::Run run;
    fluxgate::cli::add_serve(app, run);
    fluxgate::cli::add_check(app, run);
    fluxgate::cli::add_test(app, run);
    fluxgate::cli::add_policy(app, run);
    fluxgate::cli::add_demo(app, run);
    fluxgate::cli::add_completion(app, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
        // CLI11 asks for a subcommand without saying that it does not know the one that was given.
        const std::string_view word = argc > 1 ? argv[1] : "";
        if (!word.empty() && word.front() != '-' && app.get_subcommands().empty()) {
            std::fprintf(stderr, "fluxgate: there is no command \"%s\"; `fluxgate --help` lists them\n", argv[1]);
            return fluxgate::cli::kCouldNotEvaluate;
        }
        return app.exit(error) == 0 ? fluxgate::cli::kClean : fluxgate::cli::kCouldNotEvaluate;
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? fluxgate::cli::kClean : fluxgate::cli::kCouldNotEvaluate;
    }
    try {
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fluxgate: an error inside Fluxgate: %s\n", error.what());
        return fluxgate::cli::kCouldNotEvaluate;
    }
}
