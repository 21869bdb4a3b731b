#pragma once

// What `fluxgate check` found, as values, and the ways to show it. Nothing here knows how it was found.
//
// An Output gets one Judged after the other, in the order of the input, and a Summary at the end. It writes as it goes where its
// format allows that; formats that need a total first keep findings, never whole inputs, and at most `findings_max` of them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/style.hpp"
#include "kube/manifest.hpp"

namespace fluxgate::cli {

enum class Level : std::uint8_t {
    error,       // could not be read or judged: exit code 2
    deny,        // the webhook would refuse it
    warn,        // it would pass with a warning
    audit,       // it would pass and be recorded
    not_judged,  // said, not hidden: an overlay or a template that is not rendered yet; exit code 2 under --strict
};
std::string_view to_string(Level level);  // "error", "deny", "warn", "audit", "not-judged"

struct Place {
    std::string file{};         // as it was named or found, with '/'; "<stdin>" for standard input
    kube::Position position{};  // 0:0 when the file as a whole is meant
};

// Empty where the input says nothing.
struct ObjectName {
    std::string api_version{};
    std::string kind{};
    std::string namespace_name{};
    std::string name{};
};
std::string to_string(const ObjectName& object);  // "Deployment production/web", "Namespace production"

struct Finding {
    Level level = Level::deny;
    Place place{};         // of the offending field, or of its nearest parent that is there
    std::string policy{};  // empty for error and not_judged, as are the next four
    std::string rule{};
    std::string path{};
    std::string have{};
    std::string want{};
    std::string message{};   // one sentence: "have …, want …", or why it could not be judged
    std::string guidance{};  // of the policy; may be empty
};

// One object, or one part of the input that could not become one (then `object` is empty).
struct Judged {
    Place place{};
    ObjectName object{};
    std::string uid{};      // of a recorded review; empty for a manifest
    bool recorded = false;  // a recorded review although there is no uid: a line that could not be read
    bool allowed = true;
    std::vector<Finding> findings{};
    std::vector<std::string> warnings{};    // as the client would see them
    std::vector<std::string> exceptions{};  // the GuardExceptions that were used
    std::string message{};                  // of the denial, exactly as the webhook answers; empty if allowed
};

// For formats that list the rules (SARIF) and for the summary.
struct RuleInfo {
    std::string policy{};
    std::string rule{};
    std::string type{};         // the field of the rule's body: "resources", "podSecurity"
    std::string description{};  // of the policy
    std::string guidance{};
    std::vector<std::string> compliance{};
};

struct Summary {
    std::size_t objects = 0;  // judged
    std::size_t denied = 0;   // objects
    std::size_t warned = 0;   // objects that pass with findings
    std::size_t errors = 0;
    std::size_t not_judged = 0;
    std::size_t files = 0;
    std::chrono::milliseconds took{};
    std::string policy_set{};  // digest
    std::size_t policies = 0;
    std::vector<RuleInfo> rules{};
};

class Output {
public:
    virtual ~Output() = default;
    virtual void judged(const Judged& judged) = 0;
    virtual void finish(const Summary& summary) = 0;
};

enum class Format : std::uint8_t { table, json, jsonl, yaml, junit, sarif, github, azuredevops, markdown };

// In the order of help texts.
const std::vector<std::string>& format_names();
Format format_named(std::string_view name);  // a name of format_names()

struct OutputOptions {
    Style style{false};                    // for the table
    std::size_t findings_max = 25'000;     // kept by formats that need them at the end; SARIF readers take no more
    bool show_allowed = false;             // also a line for what has no finding (table)
    std::string title = "fluxgate check";  // whose findings these are (JUnit)
};

// Writes to `out`, which must live as long.
std::unique_ptr<Output> make_output(Format format, std::ostream& out, const OutputOptions& options);

}  // namespace fluxgate::cli
