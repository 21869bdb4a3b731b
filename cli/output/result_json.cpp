#include "cli/output/result_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

bool is_of_rule(const Finding& finding) { return finding.level != Level::error && finding.level != Level::not_judged; }

ordered_json violation_json(const Finding& finding) {
    return {{"policy", finding.policy},
            {"rule", finding.rule},
            {"path", finding.path},
            {"level", to_string(finding.level)},
            {"message", finding.message},
            {"have", finding.have},
            {"want", finding.want},
            {"file", finding.place.file},
            {"line", finding.place.position.line},
            {"column", finding.place.position.column}};
}

ordered_json problem_json(const Finding& finding) {
    return {{"level", to_string(finding.level)},
            {"message", finding.message},
            {"file", finding.place.file},
            {"line", finding.place.position.line},
            {"column", finding.place.position.column}};
}

ordered_json object_json(const ObjectName& object) {
    if (object.kind.empty() && object.name.empty()) return nullptr;
    return {{"apiVersion", object.api_version}, {"kind", object.kind}, {"namespace", object.namespace_name}, {"name", object.name}};
}

// JSON may hold DEL and C1 as they are, and a terminal may act on them.
std::string without_controls(std::string json) {
    if (json.find_first_of("\x7f\xc2") == std::string::npos) return json;
    std::string out;
    each_character(json, [&](const Character& character) {
        if (is_control(character.code)) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(character.code));
        } else {
            out += character.bytes;
        }
    });
    return out;
}

}  // namespace

ordered_json result_json(const Judged& judged) {
    ordered_json json = ordered_json::object();
    if (!judged.uid.empty()) json["uid"] = judged.uid;
    json["file"] = judged.place.file;
    json["line"] = judged.place.position.line;
    json["column"] = judged.place.position.column;
    json["object"] = object_json(judged.object);
    json["allowed"] = judged.allowed;
    json["violations"] = ordered_json::array();
    json["problems"] = ordered_json::array();
    for (const Finding& finding : judged.findings) {
        if (is_of_rule(finding)) {
            json["violations"].push_back(violation_json(finding));
        } else {
            json["problems"].push_back(problem_json(finding));
        }
    }
    json["warnings"] = judged.warnings;
    json["exceptions"] = judged.exceptions;
    json["guidance"] = guidance_of(judged);
    json["message"] = judged.message;
    return json;
}

ordered_json review_json(const Judged& judged) {
    ordered_json json{
        {"uid", judged.uid}, {"allowed", judged.allowed}, {"violations", ordered_json::array()}, {"warnings", judged.warnings}};
    std::string error;
    for (const Finding& finding : judged.findings) {
        if (finding.level == Level::deny) {
            json["violations"].push_back(
                {{"policy", finding.policy}, {"rule", finding.rule}, {"path", finding.path}, {"message", finding.message}});
        } else if (!is_of_rule(finding)) {
            error += (error.empty() ? "" : "; ") + finding.message;
        }
    }
    if (!error.empty()) json["error"] = error;
    return json;
}

ordered_json summary_json(const Summary& summary) {
    return {{"objects", summary.objects},
            {"denied", summary.denied},
            {"warned", summary.warned},
            {"errors", summary.errors},
            {"notJudged", summary.not_judged},
            {"files", summary.files},
            {"milliseconds", summary.took.count()},
            {"policySet", summary.policy_set},
            {"policies", summary.policies}};
}

std::string safe_json(std::string json) { return without_log_commands(without_controls(std::move(json)), "\\u0023"); }

std::string dump(const ordered_json& json, int indentation) {
    return safe_json(json.dump(indentation, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace fluxgate::cli
