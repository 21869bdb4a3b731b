#pragma once

// The outputs one by one, for make_output. All stream: they hold what they have to count, not what they show, except where it is said.

#include <iosfwd>
#include <memory>
#include <string>

#include "cli/output/report.hpp"

namespace fluxgate::cli {

// An object a paragraph: its findings with place, rule and field, then what to do.
std::unique_ptr<Output> table_output(std::ostream& out, const OutputOptions& options);
// {"results":[…],"summary":{…}}: the summary is last, because it is known last.
std::unique_ptr<Output> json_output(std::ostream& out);
std::unique_ptr<Output> jsonl_output(std::ostream& out);
// The document of json_output, with every string in double quotes.
std::unique_ptr<Output> yaml_output(std::ostream& out);
// A <testsuite> for each file, held until it is full or the next file begins, because its counts come first.
std::unique_ptr<Output> junit_output(std::ostream& out, const OutputOptions& options);
// SARIF 2.1.0. Holds the rules and at most options.findings_max fingerprints and notifications.
std::unique_ptr<Output> sarif_output(std::ostream& out, const OutputOptions& options);
std::unique_ptr<Output> github_output(std::ostream& out);
std::unique_ptr<Output> azuredevops_output(std::ostream& out);
// Holds all it shows, which is less than 64 kB.
std::unique_ptr<Output> markdown_output(std::ostream& out);

// What several formats say in the same words.

// "policy/rule"; the level for a finding without a policy.
std::string rule_id(const Finding& finding);
// "apps/web.yaml:12:5"; without what is 0.
std::string to_string(const Place& place);
// "5 objects in 3 files: 2 denied, 1 warned, 1 error, 1 not judged (12 ms)"
std::string summary_sentence(const Summary& summary);
// Has findings, but not one that denies, is an error or could not be judged.
bool only_warned(const Judged& judged);
bool has(const Judged& judged, Level level);
// The guidance of the findings that deny, each text once, in order.
std::vector<std::string> guidance_of(const Judged& judged);

}  // namespace fluxgate::cli
