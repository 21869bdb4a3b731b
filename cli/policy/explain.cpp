#include "policy/explain.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/judging.hpp"
#include "cli/messages.hpp"
#include "cli/output/formats.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "cli/policy/learned.hpp"
#include "cli/policy/policy_source.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "policy/lock/writers_text.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

struct Flags {
    JudgingFlags judging;
    std::string policies;
    std::string format = "text";
    std::string object;
    bool writers = false;
    std::string learned;  // a folder of records
    unsigned exception_horizon_days = 180;
};

constexpr std::size_t kTextMax = 600;

int refuse(const std::string& message) { return cli::refuse("policy explain", message); }

// What is told of one object: the explanation, and the head that the review gives.
struct Told {
    policy::Explanation explanation;
    std::string request;  // "CREATE deployments.apps by system:serviceaccount:flux-system:kustomize-controller"
};

bool same_word(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char a, char b) { return lower(a) == lower(b); });
}

// KIND/NAME or KIND/NAMESPACE/NAME; nothing given means every object.
bool is_wanted(const std::string& filter, const ObjectName& object) {
    if (filter.empty()) return true;
    const std::size_t first = filter.find('/');
    const std::size_t last = filter.rfind('/');
    if (!same_word(filter.substr(0, first), object.kind) || filter.substr(last + 1) != object.name) return false;
    return first == last || filter.substr(first + 1, last - first - 1) == object.namespace_name;
}

// --- text -------------------------------------------------------------------------------------------------------------

struct Mark {
    std::string_view word;
    Colour colour;
};

Mark mark_of(const policy::RuleExplanation& rule) {
    if (!rule.looked) return {"not asked", Colour::grey};
    if (rule.violations.empty()) return {"passes", Colour::green};
    const bool denies = std::any_of(rule.violations.begin(), rule.violations.end(),
                                    [](const policy::Violation& violation) { return violation.action == policy::Action::deny; });
    return {"violated", denies ? Colour::red : Colour::yellow};
}

class TextOutput {
public:
    void object(const Judged& judged, const Told& told) {
        const std::string verdict = judged.allowed ? "allowed" : "denied";
        line(0, style_.paint(judged.allowed ? Colour::green : Colour::red, verdict) + "  " +
                    style_.paint(Colour::bold, visible(to_string(judged.object))) + "  " +
                    style_.paint(Colour::grey, visible(to_string(judged.place))));
        line(1, visible(told.request, kTextMax));
        for (const policy::PolicyExplanation& policy : told.explanation.policies) write(policy);
        for (const std::string& warning : told.explanation.verdict.warnings) line(1, "warning: " + visible(warning, kTextMax));
        if (!told.explanation.verdict.guidance.empty()) line(1, visible(told.explanation.verdict.guidance, kTextMax));
        std::cout << '\n';
    }

    void problem(const Finding& finding) {
        const Colour colour = finding.level == Level::error ? Colour::red : Colour::yellow;
        line(0, style_.paint(colour, to_string(finding.level)) + "  " + visible(to_string(finding.place)) + ": " +
                    visible(finding.message, kTextMax));
    }

private:
    void line(std::size_t depth, const std::string& text) const { std::cout << std::string(2 * depth, ' ') << text << '\n'; }

    void write(const policy::PolicyExplanation& policy) const {
        const std::string name = "policy " + style_.paint(Colour::bold, visible(policy.policy));
        if (!policy.matches) {
            line(1, name + style_.paint(Colour::grey,
                                        " does not match (" + visible(policy.condition) + "): " + visible(policy.why_not, kTextMax)));
            return;
        }
        line(1, name + " matches: " + visible(policy.actions) + style_.paint(Colour::grey, " by " + visible(policy.actions_from)));
        for (const policy::RuleExplanation& rule : policy.rules) write(rule);
    }

    void write(const policy::RuleExplanation& rule) const {
        const Mark mark = mark_of(rule);
        line(2, style_.paint(mark.colour, fmt::format("{:<9}", mark.word)) + "  " + visible(rule.rule) +
                    style_.paint(Colour::grey, " (" + rule.type + ")") + ": " + visible(rule.why, kTextMax));
        for (const policy::Violation& violation : rule.violations) line(4, text_of(violation));
        if (rule.omitted > 0) line(4, fmt::format("and {} more", rule.omitted));
        for (const policy::ExplainedTakenBack& taken : rule.taken_back) {
            line(3, style_.paint(Colour::grey, "does not count: " + visible(taken.why, kTextMax)));
            for (const policy::Violation& violation : taken.violations) line(4, style_.paint(Colour::grey, text_of(violation)));
            if (taken.omitted > 0) line(4, style_.paint(Colour::grey, fmt::format("and {} more", taken.omitted)));
        }
        for (const std::string& note : rule.notes) line(3, style_.paint(Colour::yellow, visible(note, kTextMax)));
    }

    static std::string text_of(const policy::Violation& violation) {
        const std::string path = violation.path == "." ? "" : violation.path + ": ";  // the whole object has no path worth a word
        return visible(fmt::format("{}have {}, want {}", path, violation.have, violation.want), kTextMax);
    }

    const Style style_ = Style::of(stdout);
};

// --- json -------------------------------------------------------------------------------------------------------------

ordered_json json_of(const std::vector<policy::Violation>& violations) {
    ordered_json list = ordered_json::array();
    for (const policy::Violation& violation : violations) {
        list.push_back(
            {{"path", violation.path}, {"have", violation.have}, {"want", violation.want}, {"action", to_string(violation.action)}});
    }
    return list;
}

ordered_json json_of(const policy::RuleExplanation& rule) {
    ordered_json json{{"rule", rule.rule},
                      {"type", rule.type},
                      {"outcome", mark_of(rule).word},
                      {"why", rule.why},
                      {"violations", json_of(rule.violations)},
                      {"violationsOmitted", rule.omitted},
                      {"takenBack", ordered_json::array()},
                      {"notes", rule.notes}};
    for (const policy::ExplainedTakenBack& taken : rule.taken_back) {
        json["takenBack"].push_back({{"why", taken.why}, {"violations", json_of(taken.violations)}, {"violationsOmitted", taken.omitted}});
    }
    return json;
}

ordered_json json_of(const policy::PolicyExplanation& policy) {
    ordered_json json{{"policy", policy.policy}, {"matches", policy.matches}};
    if (!policy.matches) {
        json["condition"] = policy.condition;
        json["why"] = policy.why_not;
        return json;
    }
    json["actions"] = policy.actions;
    json["actionsFrom"] = policy.actions_from;
    json["rules"] = ordered_json::array();
    for (const policy::RuleExplanation& rule : policy.rules) json["rules"].push_back(json_of(rule));
    return json;
}

ordered_json place_json(const Place& place) {
    return {{"file", place.file}, {"line", place.position.line}, {"column", place.position.column}};
}

// One object after the other, so that a long input needs no memory.
class JsonOutput {
public:
    JsonOutput() { std::cout << "{\"objects\":["; }
    ~JsonOutput() { std::cout << "\n]}\n"; }
    JsonOutput(const JsonOutput&) = delete;

    void object(const Judged& judged, const Told& told) {
        ordered_json json{{"apiVersion", judged.object.api_version},
                          {"kind", judged.object.kind},
                          {"namespace", judged.object.namespace_name},
                          {"name", judged.object.name},
                          {"place", place_json(judged.place)},
                          {"request", told.request},
                          {"allowed", judged.allowed},
                          {"policies", ordered_json::array()},
                          {"warnings", judged.warnings},
                          {"message", judged.message}};
        for (const policy::PolicyExplanation& policy : told.explanation.policies) json["policies"].push_back(json_of(policy));
        write(json);
    }
    void problem(const Finding& finding) {
        write({{"level", to_string(finding.level)}, {"place", place_json(finding.place)}, {"message", finding.message}});
    }

private:
    void write(const ordered_json& json) {
        std::cout << (first_ ? "\n" : ",\n") << dump(json);
        first_ = false;
    }
    bool first_ = true;
};

// --- the command ------------------------------------------------------------------------------------------------------

std::string describe_request(const kube::Review& review) {
    return fmt::format("{} {} by {}{}", kube::to_string(review.operation), review.resource_name(),
                       review.user.username.empty() ? "a caller without a name" : review.user.username, review.dry_run ? " (dry run)" : "");
}

template <class Output>
int explain_input(const Flags& flags, const policy::PolicySet& set, Output&& output) {
    std::optional<Told> told;
    std::size_t objects = 0;
    bool denied = false;
    bool error = false;
    JudgingEvents events;
    events.observe = [&](std::size_t, const kube::Review& review, const policy::Context& context, const policy::Verdict&) {
        told = Told{policy::explain(review, set, context), describe_request(review)};
    };
    events.judged = [&](std::vector<Judged>&& list) {
        const Judged& judged = list.front();
        const std::optional<Told> of_this = std::exchange(told, std::nullopt);
        if (of_this && !is_wanted(flags.object, judged.object)) return;
        for (const Finding& finding : judged.findings) {
            if (finding.level == Level::error) error = true;
            if (finding.level == Level::error || finding.level == Level::not_judged) output.problem(finding);
        }
        if (!of_this) return;
        ++objects;
        denied = denied || !judged.allowed;
        output.object(judged, *of_this);
    };
    const auto read = judge_input(flags.judging, {&set}, events);
    if (!read) return refuse(read.error().message);
    if (error) return kCouldNotEvaluate;
    if (objects == 0) return refuse(flags.object.empty() ? "no object in the input" : "no " + flags.object + " in the input");
    return denied ? kFindings : kClean;
}

// Those that the locks of a set name, each once; without a set those that are built in.
std::vector<std::shared_ptr<const policy::WriterProfile>> writers_of(const policy::PolicySet& set) {
    std::vector<std::shared_ptr<const policy::WriterProfile>> list;
    for (const policy::Policy& policy : set.policies) {
        for (const policy::Rule& rule : policy.rules) {
            const auto* lock = std::get_if<policy::LockRule>(&rule.body);
            if (!lock) continue;
            for (const auto& profile : lock->writers) {
                if (std::find(list.begin(), list.end(), profile) == list.end()) list.push_back(profile);
            }
        }
    }
    return list;
}

int print_writers(const Flags& flags) {
    std::vector<std::string> documents;
    if (flags.policies.empty()) {
        for (const policy::WriterProfile& profile : policy::built_in_writers()) documents.push_back(policy::to_yaml(profile));
    } else {
        const auto source = require_policy_source(flags.policies, std::chrono::days(flags.exception_horizon_days), "policy explain");
        if (!source) return kCouldNotEvaluate;
        for (const auto& profile : writers_of(*source->set)) documents.push_back(policy::to_yaml(*profile));
    }
    // Two locks may name the same accounts.
    std::set<std::string> printed;
    std::string_view between;
    for (const std::string& document : documents) {
        if (!printed.insert(document).second) continue;
        std::cout << between << document;
        between = "---\n";
    }
    return kClean;
}

int print_learned(const Flags& flags) {
    std::shared_ptr<const policy::PolicySet> set;
    if (!flags.policies.empty()) {
        auto source = require_policy_source(flags.policies, std::chrono::days(flags.exception_horizon_days), "policy explain");
        if (!source) return kCouldNotEvaluate;
        set = std::move(source->set);
    }
    const auto learned = LearnedWriters::read(flags.learned);
    if (!learned) return refuse(to_string(learned.error()));
    const auto proposals = learned->propose(set.get());
    std::cout << (flags.format == "json" ? to_json(proposals, *learned, set.get()) : to_text(proposals, *learned, set.get()));
    return kClean;
}

int explain(const Flags& flags) {
    std::ios::sync_with_stdio(false);
    if (!flags.learned.empty()) return print_learned(flags);
    if (flags.writers) return print_writers(flags);
    if (flags.policies.empty()) return refuse("--policies is required");
    const auto source = require_policy_source(flags.policies, std::chrono::days(flags.exception_horizon_days), "policy explain");
    if (!source) return kCouldNotEvaluate;
    return flags.format == "json" ? explain_input(flags, *source->set, JsonOutput()) : explain_input(flags, *source->set, TextOutput());
}

}  // namespace

void add_policy_explain(CLI::App& policy, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = policy.add_subcommand("explain", "say why an object gets its verdict, policy by policy and rule by rule");
    add_judging_flags(*command, flags->judging, "FILE");
    command->add_option("--policies", flags->policies, "folder of policy files (*.yaml, *.yml, *.json)");
    command->add_option("--object", flags->object, "only this one: KIND/NAME or KIND/NAMESPACE/NAME");
    command->add_option("-o,--output", flags->format, "output format")->capture_default_str()->check(CLI::IsMember({"text", "json"}));
    auto* const writers =
        command->add_flag("--writers", flags->writers,
                          "print the built-in writer profiles of locks as YAML instead; with --policies those that its locks name");
    command
        ->add_option("--learned", flags->learned,
                     "folder of records: print the writer profiles that locks with learnUntil have learned instead")
        ->excludes(writers);
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "For each object: does a policy match, and if not, which condition says no; what each rule found, what does not count and why\n"
        "(an exception, an old violation, defaults that will be filled in), and which line of the policy decides what is done about it.\n"
        "Examples:\n"
        "  fluxgate policy explain --policies policies/ web.yaml --object Deployment/web\n"
        "  fluxgate policy explain --policies policies/ --reviews denied.jsonl\n"
        "  fluxgate policy explain --policies policies/ web.yaml --as alice@example.com --as-group devs --operation UPDATE\n"
        "  fluxgate policy explain --writers\n"
        "  fluxgate policy explain --learned audit/ --policies policies/ > learned.yaml\n"
        "Exits 0 if all is allowed, 1 if something is denied, 2 if something could not be read or there is nothing to explain.");
    command->callback([flags, &run] { run = [flags] { return explain(*flags); }; });
}

}  // namespace fluxgate::cli
