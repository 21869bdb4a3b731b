// Bytes → manifests → policy set. What is read without a problem must be JSON that reads back the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kube/json.hpp"
#include "kube/manifest.hpp"
#include "policy/loader.hpp"
#include "tests/fuzz/require.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

void check_positions(const Node& node, int lines) {
    FLUXGATE_REQUIRE(node.position().line >= 1 && node.position().line <= lines && node.position().column >= 1);
    for (const Node& item : node.items()) check_positions(item, lines);
    for (const Entry& entry : node.entries()) {
        FLUXGATE_REQUIRE(entry.key_position.line >= 1 && entry.key_position.line <= lines);
        FLUXGATE_REQUIRE(node.find(entry.key) == &entry.value);
        check_positions(entry.value, lines);
    }
}

// yaml-cpp takes no key beyond this many bytes.
bool has_long_key(const Node& node) {
    constexpr std::size_t kKeyBytesMax = 160;  // six bytes each as JSON
    for (const Node& item : node.items()) {
        if (has_long_key(item)) return true;
    }
    for (const Entry& entry : node.entries()) {
        if (entry.key.size() > kKeyBytesMax || has_long_key(entry.value)) return true;
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Limits limits;
    const ReadResult result = read_manifests(text, limits);
    int lines = 1;
    for (const char c : text) lines += c == '\n' ? 1 : 0;

    FLUXGATE_REQUIRE(result.problems.size() <= limits.policy_errors_max);
    for (std::size_t i = 0; i < result.problems.size(); ++i) {
        const ReadProblem& problem = result.problems[i];
        FLUXGATE_REQUIRE(!problem.message.empty());
        FLUXGATE_REQUIRE(problem.position.line >= 1 && problem.position.line <= lines && problem.position.column >= 1);
        FLUXGATE_REQUIRE(i == 0 || result.problems[i - 1].position <= problem.position);
    }
    JsonReader reader(limits);
    for (const Document& document : result.documents) {
        const std::string json = to_json(document.root);
        if (!result.problems.empty()) continue;
        check_positions(document.root, lines);
        FLUXGATE_REQUIRE(reader.read(with_slack(json)).has_value());
        if (has_long_key(document.root) || json.size() > limits.policy_file_bytes_max) continue;
        const ReadResult again = read_manifests(json, limits);
        FLUXGATE_REQUIRE(again.problems.empty());
        FLUXGATE_REQUIRE(again.documents.size() == 1 && to_json(again.documents[0].root) == json);
    }

    const policy::CompileResult compiled = policy::compile({{"fuzz.yaml", std::string(text)}}, policy::CompileOptions{.limits = limits});
    FLUXGATE_REQUIRE((compiled.set != nullptr) == compiled.problems.empty());
    FLUXGATE_REQUIRE(result.problems.empty() || compiled.set == nullptr);
    return 0;
}
