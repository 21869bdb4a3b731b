#include <ostream>

#include <nlohmann/json.hpp>

#include "cli/output/formats.hpp"
#include "cli/output/result_json.hpp"

namespace fluxgate::cli {

namespace {

class JsonOutput final : public Output {
public:
    explicit JsonOutput(std::ostream& out) : out_(out) { out_ << "{\"results\":["; }

    void judged(const Judged& judged) override {
        out_ << (first_ ? "\n" : ",\n") << dump(result_json(judged));
        first_ = false;
    }
    void finish(const Summary& summary) override {
        out_ << (first_ ? "" : "\n") << "],\"summary\":" << dump(summary_json(summary)) << "}\n";
    }

private:
    std::ostream& out_;
    bool first_ = true;
};

class JsonLinesOutput final : public Output {
public:
    explicit JsonLinesOutput(std::ostream& out) : out_(out) {}

    void judged(const Judged& judged) override { out_ << dump(is_review(judged) ? review_json(judged) : result_json(judged)) << '\n'; }
    void finish(const Summary&) override {}

private:
    // A line that could not be read has no uid and no place in a file of manifests either.
    static bool is_review(const Judged& judged) { return !judged.uid.empty() || judged.recorded; }

    std::ostream& out_;
};

}  // namespace

std::unique_ptr<Output> json_output(std::ostream& out) { return std::make_unique<JsonOutput>(out); }
std::unique_ptr<Output> jsonl_output(std::ostream& out) { return std::make_unique<JsonLinesOutput>(out); }

}  // namespace fluxgate::cli
