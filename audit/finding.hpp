#pragma once

// What a verification found, as values: an error says that the log is not what was signed or not complete, a note says what an auditor
// should know. Names are stable: docs/reference/audit-commands.md lists them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fluxgate::audit {

struct Finding {
    enum class Level { error, note };

    Level level = Level::error;
    std::string name{};     // "entry-not-in-tree"
    std::string message{};  // a sentence that names what differs
    std::string where{};    // a file of the folder, "entry 17", "sequence 18"
    std::optional<std::uint64_t> index{};

    friend bool operator==(const Finding&, const Finding&) = default;
};

// Keeps the first of each level and counts all, so that a log with a million holes can be reported too.
class Findings {
public:
    explicit Findings(std::size_t kept_max) : kept_max_(kept_max) {}

    void error(std::string name, std::string message, std::string where, std::optional<std::uint64_t> index = {}) {
        add({Finding::Level::error, std::move(name), std::move(message), std::move(where), index});
    }
    void note(std::string name, std::string message, std::string where, std::optional<std::uint64_t> index = {}) {
        add({Finding::Level::note, std::move(name), std::move(message), std::move(where), index});
    }
    const std::vector<Finding>& kept() const { return kept_; }
    std::uint64_t errors() const { return errors_; }
    std::uint64_t notes() const { return notes_; }

private:
    void add(Finding finding) {
        std::uint64_t& count = finding.level == Finding::Level::error ? errors_ : notes_;
        if (count++ < kept_max_) kept_.push_back(std::move(finding));
    }

    std::size_t kept_max_;
    std::vector<Finding> kept_;
    std::uint64_t errors_ = 0;
    std::uint64_t notes_ = 0;
};

}  // namespace fluxgate::audit
