#pragma once

// What became of the cases of PolicyTests, for people and for programs.

#include <cstddef>
#include <iosfwd>
#include <vector>

#include "cli/output/style.hpp"
#include "cli/testing/policy_tests.hpp"
#include "cli/testing/rule_coverage.hpp"

namespace fluxgate::cli {

// A case with what became of it.
struct Ran {
    const TestFile* file;
    const policy::PolicyTest* test;
    const policy::PolicyTestCase* test_case;
    CaseResult result;
};

struct Totals {
    std::size_t cases = 0;
    std::size_t failed = 0;
    std::size_t errors = 0;
};

Totals totals_of(const std::vector<Ran>& cases);

// `coverage` may be null: then it is not told. Cases of one test follow each other.
void write_text(const std::vector<Ran>& cases, const RuleCoverage* coverage, Style style, std::ostream& out);
void write_json(const std::vector<Ran>& cases, const RuleCoverage* coverage, std::ostream& out);
void write_junit(const std::vector<Ran>& cases, std::ostream& out);

}  // namespace fluxgate::cli
