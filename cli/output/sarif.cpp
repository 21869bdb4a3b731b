// SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), within what GitHub's code scanning takes
// (https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning): 25,000 results
// a run, 20 tags a rule, 1,024 characters of description. No automationDetails: they would keep the `category` of an upload from
// telling two files of one commit apart.

#include <algorithm>
#include <map>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "cli/output/formats.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTagsMax = 20;
constexpr std::size_t kDescriptionMax = 1'000;
constexpr std::size_t kNameMax = 250;
constexpr std::size_t kTextMax = 2'000;
constexpr std::size_t kNotificationsMax = 1'000;

// RFC 3986: a path as a URI; relative ones may not look as if they had a scheme, so ':' is encoded too.
std::string uri_of(std::string_view file) {
    const bool absolute = file.starts_with('/');
    while (file.starts_with("./")) file.remove_prefix(2);
    std::string uri = absolute ? "file://" : "";
    for (const char c : file) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~/").find(c) != std::string_view::npos;
        uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return uri;
}

ordered_json location_of(const Place& place, const ObjectName* object) {
    ordered_json artifact{{"uri", uri_of(place.file)}};
    if (!place.file.starts_with('/')) artifact["uriBaseId"] = "%SRCROOT%";
    ordered_json physical{{"artifactLocation", artifact}};
    if (place.position.line > 0) {
        physical["region"] = {{"startLine", place.position.line}};
        if (place.position.column > 0) physical["region"]["startColumn"] = place.position.column;
    }
    ordered_json location{{"physicalLocation", physical}};
    if (object && !object->kind.empty()) {
        const std::string name = visible(object->name.empty() ? object->kind : object->name, kNameMax);
        location["logicalLocations"] = ordered_json::array(
            {{{"name", name}, {"fullyQualifiedName", visible(to_string(*object), 2 * kNameMax)}, {"kind", "resource"}}});
    }
    return location;
}

std::string_view sarif_level(Level level) {
    switch (level) {
        case Level::error:
        case Level::deny: return "error";
        case Level::warn:
        case Level::not_judged: return "warning";
        case Level::audit: return "note";
    }
    return "error";
}

// A message may hold links, [text](target); a value may not.
std::string without_links(std::string text) {
    for (std::size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at)) text.replace(at, 2, "] (");
    return text;
}

std::string message_of(const Finding& finding, const ObjectName& object) {
    std::string text = to_string(object);
    if (!finding.path.empty()) text += (text.empty() ? "" : " ") + finding.path;
    return without_links(visible(text + (text.empty() ? "" : ": ") + finding.message, kTextMax));
}

ordered_json rule_json(const RuleInfo& rule) {
    const std::string id = rule.policy + "/" + rule.rule;
    const std::string description = rule.description.empty() ? "Rule " + rule.rule + " of policy " + rule.policy : rule.description;
    ordered_json json{{"id", visible(id, kNameMax)},
                      {"name", visible(rule.rule, kNameMax)},
                      {"shortDescription", {{"text", visible(description, kDescriptionMax)}}},
                      {"fullDescription", {{"text", visible(description, kDescriptionMax)}}},
                      {"help", {{"text", rule.guidance.empty() ? description : rule.guidance}}}};
    ordered_json tags = ordered_json::array();
    const auto tag = [&](const std::string& text) {
        if (!text.empty() && tags.size() < kTagsMax && std::find(tags.begin(), tags.end(), ordered_json(text)) == tags.end())
            tags.push_back(text);
    };
    tag(rule.type);
    for (const std::string& criterion : rule.compliance) tag(visible(criterion, kNameMax));
    json["properties"] = {{"tags", tags}};
    return json;
}

class SarifOutput final : public Output {
public:
    SarifOutput(std::ostream& out, std::size_t results_max) : out_(out), results_max_(results_max) {
        out_ << R"({"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"columnKind":"unicodeCodePoints",)"
                "\n\"results\":[";
    }

    void judged(const Judged& judged) override {
        for (const Finding& finding : judged.findings) {
            if (finding.level == Level::error || finding.level == Level::not_judged) {
                notify(finding, judged.object);
            } else if (results_ < results_max_) {
                out_ << (results_++ == 0 ? "\n" : ",\n") << dump(result(finding, judged.object));
            } else {
                ++left_out_;
            }
        }
    }

    void finish(const Summary& summary) override {
        const ordered_json driver{{"name", "Fluxgate"},
                                  {"version", FLUXGATE_VERSION},
                                  {"semanticVersion", FLUXGATE_VERSION},
                                  {"rules", rules(summary)},
                                  {"properties", {{"policySet", summary.policy_set}}}};
        if (left_out_ > 0) {
            add_notification(fmt::format("{} more findings are left out: at most {} are written", left_out_, results_max_), "warning");
        }
        if (problems_left_out_ > 0) add_notification(fmt::format("{} more problems are left out", problems_left_out_), "warning");
        const ordered_json invocation{{"executionSuccessful", summary.errors == 0}, {"toolExecutionNotifications", notifications_}};
        out_ << (results_ == 0 ? "" : "\n") << "],\n\"tool\":" << dump({{"driver", driver}}) << ",\n\"invocations\":[" << dump(invocation)
             << "],\n\"originalUriBaseIds\":"
             << R"({"%SRCROOT%":{"description":{"text":"The folder that paths were named from: the root of the repository."}}})"
             << "}]}\n";
    }

private:
    ordered_json result(const Finding& finding, const ObjectName& object) {
        const std::string fingerprint = fingerprint_of(finding, object);
        // GitHub looks at primaryLocationLineHash only. Hashing the line, as it does itself where there is none, would take two
        // findings of one rule on one line for one.
        return {{"ruleId", visible(rule_id(finding), kNameMax)},
                {"ruleIndex", index_of(finding)},
                {"level", sarif_level(finding.level)},
                {"message", {{"text", message_of(finding, object)}}},
                {"locations", ordered_json::array({location_of(finding.place, &object)})},
                {"partialFingerprints", {{"fluxgateFinding/v1", fingerprint}, {"primaryLocationLineHash", fingerprint}}}};
    }

    // The same finding wherever its line moves, and whatever its value changes to.
    std::string fingerprint_of(const Finding& finding, const ObjectName& object) {
        std::string identity;
        for (const std::string* part : {&finding.policy, &finding.rule, &object.api_version, &object.kind, &object.namespace_name,
                                        &object.name, &finding.path, &finding.place.file}) {
            identity += *part;
            identity += '\0';
        }
        const std::string digest = sha256_hex(identity).substr(0, 32);
        return fmt::format("{}:{}", digest, ++seen_[digest]);
    }

    std::size_t index_of(const Finding& finding) {
        const auto [entry, is_new] = rule_index_.try_emplace(rule_id(finding), rule_ids_.size());
        if (is_new) rule_ids_.push_back({.policy = finding.policy, .rule = finding.rule, .guidance = finding.guidance});
        return entry->second;
    }

    // In the order in which results first named them, because results are written before the rules are known; then the others.
    ordered_json rules(const Summary& summary) {
        for (const RuleInfo& rule : summary.rules) {
            const auto [entry, is_new] = rule_index_.try_emplace(rule.policy + "/" + rule.rule, rule_ids_.size());
            if (is_new) {
                rule_ids_.push_back(rule);
            } else {
                rule_ids_[entry->second] = rule;
            }
        }
        ordered_json json = ordered_json::array();
        for (const RuleInfo& rule : rule_ids_) json.push_back(rule_json(rule));
        return json;
    }

    void notify(const Finding& finding, const ObjectName& object) {
        if (notifications_.size() >= kNotificationsMax) {
            ++problems_left_out_;
            return;
        }
        add_notification(message_of(finding, object), sarif_level(finding.level));
        if (!finding.place.file.empty()) notifications_.back()["locations"] = ordered_json::array({location_of(finding.place, nullptr)});
    }

    void add_notification(const std::string& text, std::string_view level) {
        notifications_.push_back({{"level", level}, {"message", {{"text", text}}}});
    }

    std::ostream& out_;
    std::size_t results_max_;
    std::size_t results_ = 0;
    std::size_t left_out_ = 0;
    std::size_t problems_left_out_ = 0;
    std::map<std::string, std::size_t> seen_;
    std::map<std::string, std::size_t> rule_index_;
    std::vector<RuleInfo> rule_ids_;
    ordered_json notifications_ = ordered_json::array();
};

}  // namespace

std::unique_ptr<Output> sarif_output(std::ostream& out, const OutputOptions& options) {
    return std::make_unique<SarifOutput>(out, options.findings_max);
}

}  // namespace fluxgate::cli
