#pragma once

// Files that travel inside the binary (cmake/embed.cmake makes the definitions). Alive for the whole program.

#include <span>
#include <string_view>

namespace fluxgate::embedded {

struct File {
    std::string_view name;  // without folder
    std::string_view text;  // byte for byte; a zero byte follows
};

std::span<const File> recordings();     // cli/demo/recordings/*.json: reviews as a real API server sent them
std::span<const File> demo_policies();  // cli/demo/policies/*.yaml
std::span<const File> policy_schema();  // deploy/policies/schema.json
std::span<const File> report_style();   // cli/audit/output/report.css

}  // namespace fluxgate::embedded
