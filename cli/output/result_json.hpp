#pragma once

// Results as JSON values: json, jsonl and yaml write the same ones. The shape is a contract, see docs/reference/check-outputs.md.

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/output/report.hpp"

namespace fluxgate::cli {

// A manifest, or a recorded review with all that is known of it.
nlohmann::ordered_json result_json(const Judged& judged);
// A recorded review, in the fixed form of `check --reviews -o jsonl`: uid, allowed, violations, warnings, and error if there is one.
nlohmann::ordered_json review_json(const Judged& judged);
nlohmann::ordered_json summary_json(const Summary& summary);

// Every JSON that a command writes passes here: on one line, or indented; invalid UTF-8 becomes U+FFFD, and nothing in it is a
// command for a terminal or a pipeline.
std::string dump(const nlohmann::ordered_json& json, int indentation = -1);
// The same for JSON that is text already.
std::string safe_json(std::string json);

}  // namespace fluxgate::cli
