#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/policies.hpp"
#include "kube/admission_review.hpp"
#include "policy/evaluate.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

ordered_json to_json(const policy::Violation& violation) {
    return {{"policy", violation.policy},
            {"rule", violation.rule},
            {"path", violation.path},
            {"message", "have " + violation.have + ", want " + violation.want}};
}

// The labels of the namespaces that the input itself creates or changes, for namespaceSelector.
class NamespaceLabels {
public:
    std::optional<kube::Labels> of(const kube::Review& review) const {
        const auto found = labels_.find(review.namespace_name);
        return found == labels_.end() ? std::nullopt : std::optional(found->second);
    }
    void learn(const kube::Review& review) {
        if (review.resource.resource != "namespaces" || !review.resource.group.empty() || !review.object.is_object()) return;
        kube::Labels& labels = labels_[std::string(review.namespace_name)];
        labels.clear();
        review.object["metadata"]["labels"].each_member(
            [&](std::string_view key, kube::Json value) { labels.emplace_back(std::string(key), std::string(value.text())); });
    }

private:
    std::map<std::string, kube::Labels, std::less<>> labels_;
};

// One line in, one line out; what cannot be read is denied, with the reason as `error`.
struct Judged {
    std::string line;
    int exit_code;
};

Judged judge(const std::string& line, kube::ReviewReader& reader, const policy::PolicySet& set, NamespaceLabels& namespaces) {
    const auto review = reader.read(kube::with_slack(line));
    if (!review) {
        const Error& error = review.error().error;
        const ordered_json out{{"uid", review.error().uid},
                               {"allowed", false},
                               {"violations", ordered_json::array()},
                               {"warnings", ordered_json::array()},
                               {"error", to_string(error)}};
        return {dump(out), kCouldNotEvaluate};
    }
    policy::Verdict verdict;
    try {
        verdict = policy::evaluate(*review, set, {.now = SystemClock().now(), .namespace_labels = namespaces.of(*review)});
    } catch (const std::exception& exception) {  // as the webhook: our own mistake is a denial of this review, not the end of the run
        const ordered_json out{{"uid", review->uid},
                               {"allowed", false},
                               {"violations", ordered_json::array()},
                               {"warnings", ordered_json::array()},
                               {"error", std::string("an error inside Fluxgate: ") + exception.what()}};
        return {dump(out), kCouldNotEvaluate};
    }
    namespaces.learn(*review);
    ordered_json out{
        {"uid", review->uid}, {"allowed", verdict.allowed}, {"violations", ordered_json::array()}, {"warnings", verdict.warnings}};
    for (const policy::Violation& violation : verdict.violations) {
        if (violation.action == policy::Action::deny) out["violations"].push_back(to_json(violation));
    }
    return {dump(out), verdict.allowed ? kClean : kFindings};
}

int check(const std::string& policies, const std::string& reviews, std::chrono::days horizon) {
    const Limits limits;
    policy::PolicyFolder folder(policies, {.limits = limits, .namespace_labels = true, .exception_horizon = horizon});
    const auto set = load_policies(folder);
    if (!set) return kCouldNotEvaluate;
    std::ifstream file;
    if (reviews != "-") {
        file.open(reviews, std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "fluxgate check: cannot read %s\n", reviews.c_str());
            return kCouldNotEvaluate;
        }
    }
    std::istream& stream = reviews == "-" ? std::cin : file;
    kube::ReviewReader reader(limits);
    NamespaceLabels namespaces;
    int exit_code = kClean;
    for (std::string line; std::getline(stream, line);) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const Judged judged = judge(line, reader, *set, namespaces);
        std::printf("%s\n", judged.line.c_str());
        exit_code = std::max(exit_code, judged.exit_code);
    }
    return exit_code;
}

}  // namespace

void add_check(CLI::App& app, Run& run) {
    struct Flags {
        std::string policies;
        std::string reviews;
        std::string output = "jsonl";
        unsigned exception_horizon_days = 180;
    };
    auto flags = std::make_shared<Flags>();
    CLI::App* command = app.add_subcommand("check", "judge recorded AdmissionReviews with the webhook's own evaluator");
    command->add_option("--policies", flags->policies, "folder of policy files (*.yaml, *.yml, *.json)")->required();
    command->add_option("--reviews", flags->reviews, "AdmissionReviews as JSON Lines; - is standard input")->required();
    command->add_option("-o,--output", flags->output, "output format")->capture_default_str()->check(CLI::IsMember({"jsonl"}));
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "Writes a line for each review, in order: {\"uid\",\"allowed\",\"violations\":[…],\"warnings\":[]}.\nExits 0 if all are allowed, 1 "
        "if one is denied, 2 if one cannot be read.");
    command->callback([flags, &run] {
        run = [flags] { return check(flags->policies, flags->reviews, std::chrono::days(flags->exception_horizon_days)); };
    });
}

}  // namespace fluxgate::cli
