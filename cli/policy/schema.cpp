#include <cstdio>
#include <set>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/embedded.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

std::string_view schema_text() { return embedded::policy_schema().front().text; }

// The definitions that `json` leads to, itself or through others.
void collect(const ordered_json& json, const ordered_json& definitions, std::set<std::string>& names) {
    constexpr std::string_view kPrefix = "#/definitions/";
    if (json.is_object() && json.contains("$ref")) {
        const std::string name = json["$ref"].get<std::string>().substr(kPrefix.size());
        if (names.insert(name).second) collect(definitions[name], definitions, names);
        return;
    }
    if (!json.is_structured()) return;
    for (const ordered_json& child : json) collect(child, definitions, names);
}

// The schema without the other kinds.
std::string schema_of(const std::string& kind) {
    const ordered_json whole = ordered_json::parse(schema_text());
    const ordered_json& definitions = whole["definitions"];
    std::set<std::string> names;
    const ordered_json root{{"$ref", "#/definitions/" + kind}};
    collect(root, definitions, names);
    ordered_json kept = ordered_json::object();
    for (const auto& [name, definition] : definitions.items()) {
        if (names.count(name) > 0) kept[name] = definition;
    }
    const ordered_json out{{"$schema", whole["$schema"]},
                           {"title", whole["title"].get<std::string>() + " " + kind},
                           {"description", definitions[kind]["description"]},
                           {"allOf", ordered_json::array({root})},
                           {"definitions", std::move(kept)}};
    return out.dump(2) + "\n";
}

std::vector<std::string> kinds() {
    return ordered_json::parse(schema_text())["properties"]["kind"]["enum"].get<std::vector<std::string>>();
}

int print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kClean;
}

int list() {
    const ordered_json definitions = ordered_json::parse(schema_text())["definitions"];
    std::string lines;
    for (const std::string& kind : kinds()) lines += kind + "\n    " + definitions[kind]["description"].get<std::string>() + "\n";
    return print(lines);
}

}  // namespace

void add_policy_schema(CLI::App& policy, Run& run) {
    struct Flags {
        std::string kind;
        bool list = false;
    };
    auto flags = std::make_shared<Flags>();
    CLI::App* command = policy.add_subcommand("schema", "print the JSON Schema of policy files, for editors");
    command->add_option("KIND", flags->kind, "only this kind; all kinds when left out")->check(CLI::IsMember(kinds()));
    command->add_flag("--list", flags->list, "name the kinds instead, with what each is for");
    command->footer(
        "JSON Schema, draft-07. It knows what this version reads and refuses every other field, as loading does; what fields mean\n"
        "to each other (a rule that an exception names, a check that a level has) only `fluxgate policy lint` sees.\n\n"
        "  fluxgate policy schema > schema.json\n\n"
        "Then an editor with yaml-language-server completes, explains and checks a policy file whose first line is\n\n"
        "  # yaml-language-server: $schema=schema.json\n\n"
        "The schema may lie in the policy folder: loading passes over it. Exits 0.");
    command->callback([flags, &run] {
        run = [flags] {
            if (flags->list) return list();
            return flags->kind.empty() ? print(schema_text()) : print(schema_of(flags->kind));
        };
    });
}

}  // namespace fluxgate::cli
