#pragma once

// JUnit XML, for the commands whose findings are test cases. It has no one specification. Written here is what Jenkins, GitLab, Azure
// Pipelines and the actions for GitHub all read: testsuites/testsuite/testcase; one failure, error or skipped a test case, because
// Jenkins keeps one; counts in the suite, because some readers believe them.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "cli/output/report.hpp"

namespace fluxgate::cli {

enum class JunitOutcome : std::uint8_t { passed, failure, error, skipped };

struct JunitCase {
    std::string suite{};
    std::string name{};
    Place place{};
    JunitOutcome outcome = JunitOutcome::passed;
    std::string message{};  // on one line
    std::string type{};
    std::string body{};
    std::string output{};
};

// Cases of a suite that follow each other stand in one element, held until it is full or the next suite begins, because its counts
// come first. `out` must live as long.
class JunitDocument {
public:
    JunitDocument(std::ostream& out, std::string_view title);
    void add(const JunitCase& test_case);
    void finish();

private:
    struct Suite {
        std::string name;
        std::string cases;
        std::size_t tests = 0;
        std::size_t failures = 0;
        std::size_t errors = 0;
        std::size_t skipped = 0;
    };
    void close_suite();

    std::ostream& out_;
    Suite suite_;
};

}  // namespace fluxgate::cli
