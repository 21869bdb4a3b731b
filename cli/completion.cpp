#include "cli/completion.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

namespace {

enum class Takes { nothing, word, one_of, file, folder };

// A flag, or an argument without a name.
struct Argument {
    std::vector<std::string> names{};  // "--output", "-o"
    std::string description{};
    Takes takes = Takes::nothing;
    std::vector<std::string> values{};
};

// Named by the words that lead to it: "", "check", "policy lint". In the scripts, the command so far and the word that follows, with
// a space between them, are looked up together: " check", "policy lint", "check --output".
struct Command {
    std::string words{};
    std::string name{};
    std::string description{};
    std::vector<Argument> flags{};
    std::vector<Argument> positionals{};
    std::vector<Command> commands{};
};

// CLI11 tells of a set of values only in the type's name: "TEXT:{json,yaml}".
std::vector<std::string> values_of(std::string_view type) {
    const std::size_t open = type.rfind('{');
    const std::size_t close = type.rfind('}');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
    return CLI::detail::split(std::string(type.substr(open + 1, close - open - 1)), ',');
}

Takes takes_of(const CLI::Option& option, const std::vector<std::string>& values) {
    const std::string type = option.get_type_name();
    if (option.get_items_expected_max() == 0 || option.get_type_size_max() == 0) return Takes::nothing;
    if (!values.empty()) return Takes::one_of;
    if (type.find("DIR") != std::string::npos) return Takes::folder;
    for (const char* number : {"INT", "FLOAT", "DAYS"}) {
        if (type.find(number) != std::string::npos) return Takes::word;
    }
    return Takes::file;
}

// The first line, for the shells that show it.
std::string one_line(const std::string& description) { return description.substr(0, description.find('\n')); }

Command described(const CLI::App& app, const std::string& words) {
    Command command{.words = words, .name = app.get_name(), .description = one_line(app.get_description())};
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) continue;  // hidden
        Argument argument{.description = one_line(option->get_description())};
        argument.values = values_of(option->get_type_name());
        argument.takes = takes_of(*option, argument.values);
        for (const std::string& name : option->get_lnames()) argument.names.push_back("--" + name);
        for (const std::string& name : option->get_snames()) argument.names.push_back("-" + name);
        (argument.names.empty() ? command.positionals : command.flags).push_back(argument);
    }
    for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (child->get_group().empty() || child->get_name().empty()) continue;
        command.commands.push_back(described(*child, words.empty() ? child->get_name() : words + " " + child->get_name()));
    }
    return command;
}

template <class F>
void each_command(const Command& command, F&& f) {
    f(command);
    for (const Command& child : command.commands) each_command(child, f);
}

// As one word of any of the three shells.
std::string shell_word(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

// Patterns of a case, of the kind "'check --output'|'check -o'".
std::string patterns(const Command& command, const Argument& flag, std::string_view separator) {
    std::string out;
    for (const std::string& name : flag.names) {
        if (!out.empty()) out += separator;
        out += shell_word(command.words + " " + name);
    }
    return out;
}

std::string joined_names(const Command& command) {
    std::string out;
    for (const Argument& flag : command.flags) {
        for (const std::string& name : flag.names) out += (out.empty() ? "" : " ") + name;
    }
    return out;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// Bodies of cases that bash and zsh share.
struct Cases {
    std::string steps;   // a word that leads to another command
    std::string skips;   // a flag that takes the next word
    std::string values;  // what may follow a flag: sets `kind` and `words`
};

std::string_view kind_of(Takes takes) {
    switch (takes) {
        case Takes::nothing: return "none";
        case Takes::word: return "word";
        case Takes::one_of: return "words";
        case Takes::file: return "file";
        case Takes::folder: return "folder";
    }
    return "none";
}

Cases cases_of(const Command& root) {
    Cases cases;
    each_command(root, [&](const Command& command) {
        for (const Command& child : command.commands) {
            cases.steps +=
                fmt::format("            {}) command={} ;;\n", shell_word(command.words + " " + child.name), shell_word(child.words));
        }
        for (const Argument& flag : command.flags) {
            if (flag.takes == Takes::nothing) continue;
            cases.skips += fmt::format("            {}) (( i++ )) ;;\n", patterns(command, flag, "|"));
            cases.values += fmt::format("        {}) kind={} candidates={} ;;\n", patterns(command, flag, "|"), kind_of(flag.takes),
                                        shell_word(joined(flag.values)));
        }
    });
    return cases;
}

std::string bash_script(const Command& root) {
    const Cases cases = cases_of(root);
    std::string plain;
    each_command(root, [&](const Command& command) {
        std::vector<std::string> words;
        for (const Command& child : command.commands) words.push_back(child.name);
        std::string_view kind = "words";
        if (!command.positionals.empty()) {
            kind = kind_of(command.positionals.front().takes);
            words.insert(words.end(), command.positionals.front().values.begin(), command.positionals.front().values.end());
        }
        plain += fmt::format("            {}) flags={} kind={} candidates={} ;;\n", shell_word(command.words),
                             shell_word(joined_names(command)), kind, shell_word(joined(words)));
    });
    return "# Completion of fluxgate for bash 4 and newer: source <(fluxgate completion bash)\n"
           "_fluxgate() {\n"
           "    local command='' flags='' kind='' candidates='' i\n"
           "    local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
           "    # bash takes --flag=value apart\n"
           "    if [[ $current == '=' ]]; then current=''; elif [[ $previous == '=' ]]; then previous=\"${COMP_WORDS[COMP_CWORD-2]}\"; fi\n"
           "    for (( i = 1; i < COMP_CWORD; i++ )); do\n"
           "        case \"$command ${COMP_WORDS[i]}\" in\n" +
           cases.steps + cases.skips +
           "        esac\n"
           "    done\n"
           "    case \"$command $previous\" in\n" +
           cases.values +
           "    esac\n"
           "    if [[ -z $kind ]]; then\n"
           "        case \"$command\" in\n" +
           plain +
           "        esac\n"
           "        if [[ $current == -* ]]; then kind=words candidates=\"$flags\"; fi\n"
           "    fi\n"
           "    COMPREPLY=()\n"
           "    case \"$kind\" in\n"
           "        words) mapfile -t COMPREPLY < <(compgen -W \"$candidates\" -- \"$current\") ;;\n"
           "        file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
           "        folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
           "    esac\n"
           "}\n"
           "complete -F _fluxgate fluxgate\n";
}

// An item of _describe: a word, a colon, what it is.
std::string zsh_item(std::string_view word, std::string_view description) {
    std::string item;
    for (const char c : word) item += c == ':' ? "\\:" : std::string(1, c);
    return shell_word(description.empty() ? item : item + ":" + std::string(description));
}

std::string zsh_script(const Command& root) {
    const Cases cases = cases_of(root);
    std::string plain;
    each_command(root, [&](const Command& command) {
        std::string flags;
        for (const Argument& flag : command.flags) {
            for (const std::string& name : flag.names) flags += " " + zsh_item(name, flag.description);
        }
        std::string items;
        for (const Command& child : command.commands) items += " " + zsh_item(child.name, child.description);
        std::string_view kind = "items";
        if (!command.positionals.empty()) {
            const Argument& positional = command.positionals.front();
            if (positional.takes != Takes::one_of) kind = kind_of(positional.takes);
            for (const std::string& value : positional.values) items += " " + zsh_item(value, "");
        }
        plain += fmt::format("            {}) flags=({} ) kind={} items=({} ) ;;\n", shell_word(command.words), flags, kind, items);
    });
    return "#compdef fluxgate\n"
           "# Completion of fluxgate for zsh: source <(fluxgate completion zsh), or a file _fluxgate in a folder of $fpath\n"
           "_fluxgate() {\n"
           "    local command='' kind='' candidates='' current=\"${words[CURRENT]}\" i\n"
           "    local -a flags items\n"
           "    for (( i = 2; i < CURRENT; i++ )); do\n"
           "        case \"$command ${words[i]}\" in\n" +
           cases.steps + cases.skips +
           "        esac\n"
           "    done\n"
           "    local previous=\"${words[CURRENT-1]}\"\n"
           "    if [[ $current == --*=* ]]; then previous=\"${current%%=*}\"; compset -P '*='; fi\n"
           "    case \"$command $previous\" in\n" +
           cases.values +
           "    esac\n"
           "    if [[ -z $kind ]]; then\n"
           "        case \"$command\" in\n" +
           plain +
           "        esac\n"
           "        if [[ $current == -* ]]; then kind=items items=(\"${flags[@]}\"); fi\n"
           "    fi\n"
           "    case \"$kind\" in\n"
           "        items) _describe fluxgate items ;;\n"
           "        words) compadd -- ${=candidates} ;;\n"
           "        file) _files ;;\n"
           "        folder) _files -/ ;;\n"
           "    esac\n"
           "}\n"
           "if [[ ${funcstack[1]-} == _fluxgate ]]; then _fluxgate \"$@\"; else compdef _fluxgate fluxgate; fi\n";
}

std::string fish_flag(const Command& command, const Argument& flag) {
    std::string line = fmt::format("complete -c fluxgate -n {}", shell_word("__fluxgate_at " + shell_word(command.words)));
    for (const std::string& name : flag.names) line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    switch (flag.takes) {
        case Takes::nothing: break;
        case Takes::word: line += " -x"; break;
        case Takes::one_of: line += " -x -a " + shell_word(joined(flag.values)); break;
        case Takes::file: line += " -r -F"; break;
        case Takes::folder: line += " -x -a '(__fish_complete_directories)'"; break;
    }
    return line + " -d " + shell_word(flag.description) + "\n";
}

std::string fish_script(const Command& root) {
    std::string steps;
    std::string skips;
    std::string lines;
    each_command(root, [&](const Command& command) {
        const std::string at = fmt::format("complete -c fluxgate -n {}", shell_word("__fluxgate_at " + shell_word(command.words)));
        for (const Command& child : command.commands) {
            steps += fmt::format("            case {}\n                set command {}\n", shell_word(command.words + " " + child.name),
                                 shell_word(child.words));
            lines += at + " -a " + shell_word(child.name) + " -d " + shell_word(child.description) + "\n";
        }
        for (const Argument& flag : command.flags) {
            lines += fish_flag(command, flag);
            if (flag.takes != Takes::nothing) {
                skips += fmt::format("            case {}\n                set skip yes\n", patterns(command, flag, " "));
            }
        }
        if (command.positionals.empty()) return;
        const Argument& positional = command.positionals.front();
        if (positional.takes == Takes::one_of) lines += at + " -a " + shell_word(joined(positional.values)) + "\n";
        if (positional.takes == Takes::file) lines += at + " -F\n";
        if (positional.takes == Takes::folder) lines += at + " -a '(__fish_complete_directories)'\n";
    });
    return "# Completion of fluxgate for fish: fluxgate completion fish | source\n"
           "function __fluxgate_at --description 'whether the words so far lead to this command of fluxgate'\n"
           "    set -l command ''\n"
           "    set -l skip no\n"
           "    for word in (commandline -opc)[2..-1]\n"
           "        if test $skip = yes\n"
           "            set skip no\n"
           "            continue\n"
           "        end\n"
           "        switch \"$command $word\"\n" +
           steps + skips +
           "        end\n"
           "    end\n"
           "    test \"$command\" = \"$argv[1]\"\n"
           "end\n"
           "complete -c fluxgate -f\n" +
           lines;
}

}  // namespace

std::string completion_script(const CLI::App& app, Shell shell) {
    const Command root = described(app, "");
    switch (shell) {
        case Shell::bash: return bash_script(root);
        case Shell::zsh: return zsh_script(root);
        case Shell::fish: return fish_script(root);
    }
    return {};
}

void add_completion(CLI::App& app, Run& run) {
    const std::vector<std::string> shells{"bash", "zsh", "fish"};
    auto shell = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand("completion", "print a script that completes fluxgate's commands and flags in your shell");
    command->add_option("shell", *shell, "your shell")->required()->check(CLI::IsMember(shells));
    command->footer(
        "bash: source <(fluxgate completion bash)\nzsh:  source <(fluxgate completion zsh), after compinit\nfish: fluxgate completion fish "
        "| "
        "source");
    command->callback([&app, &run, shell, shells] {
        run = [&app, shell, shells] {
            const auto index = std::find(shells.begin(), shells.end(), *shell) - shells.begin();
            std::fputs(completion_script(app, static_cast<Shell>(index)).c_str(), stdout);
            return kClean;
        };
    });
}

}  // namespace fluxgate::cli
