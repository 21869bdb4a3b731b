#include "cli/testing/policy_tests.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "cli/files.hpp"
#include "cli/manifest_judge.hpp"
#include "cli/manifest_reviews.hpp"
#include "kube/manifest_object.hpp"
#include "policy/evaluate.hpp"
#include "policy/policy_config_map.hpp"
#include "webhook/answer.hpp"

namespace fluxgate::cli {

namespace {

namespace fs = std::filesystem;

std::string place(const std::string& file, kube::Position position) {
    return fmt::format("{}:{}:{}", file, position.line, position.column);
}

// Files named in a test are relative to it.
std::string path_from(const TestFile& test, const std::string& path) {
    return (fs::path(test.path).parent_path() / path).lexically_normal().string();
}

bool is_policy_test(const kube::Node& root) {
    const kube::Node* kind = root.find("kind");
    const kube::Node* api_version = root.find("apiVersion");
    return kind && kind->text() == "PolicyTest" && api_version && api_version->text().starts_with("fluxgate.dev/");
}

// Other YAML in the tree may be templates, which no strict reader takes; none of it says these words.
bool may_hold_a_test(const std::string& text) {
    return text.find("PolicyTest") != std::string::npos && text.find("fluxgate.dev/") != std::string::npos;
}

std::vector<std::string> files_below(const std::string& folder, std::vector<std::string>& problems) {
    std::vector<std::string> files;
    std::error_code error;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error);
    for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.') && entry->is_directory(ignored)) entry.disable_recursion_pending();
        if (policy::is_policy_file_name(name) && entry->is_regular_file(ignored))
            files.push_back(entry->path().lexically_normal().string());
    }
    if (error) problems.push_back(fmt::format("{}: cannot read the folder: {}", folder, error.message()));
    std::sort(files.begin(), files.end());
    return files;
}

// Version 8 of RFC 9562: the bits are ours. The same case has the same uid in every run.
std::string uid_of(const policy::PolicyTest& test, const policy::PolicyTestCase& test_case) {
    std::string hex = sha256_hex(test.name + "\n" + test_case.name);
    hex[12] = '8';
    hex[16] = '8';
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" + hex.substr(20, 12);
}

// Manifests are read as `kubectl apply` reads them; an object within the test as strictly as the test.
// As JSON, with room for slack.
Result<std::string> text_of(const TestFile& file, const policy::TestObject& object, const Limits& limits) {
    if (object.file.empty()) return kube::with_slack(object.json);
    const std::string path = path_from(file, object.file);
    const auto text = read_file(path, limits.manifest_bytes_max);
    if (!text) return tl::unexpected(text.error());
    std::vector<kube::ManifestObject> objects;
    const auto problem =
        kube::ManifestReader(limits).read(*text, 1, [&](kube::ManifestObject&& one) { objects.push_back(std::move(one)); });
    if (problem) return fail(problem->code, problem->message, place(path, problem->position));
    if (objects.size() != 1) {
        return fail(Errc::invalid_argument, fmt::format("holds {} objects; a case needs a file with exactly one", objects.size()), path);
    }
    return std::move(objects.front().json);
}

Result<std::string> recorded_review(const TestFile& file, const policy::TestObject& review, const Limits& limits) {
    const std::string path = path_from(file, review.file);
    const auto text = read_file(path, limits.body_bytes_max);
    if (!text) return tl::unexpected(text.error());
    kube::JsonReader reader(limits);
    const auto json = reader.read(kube::with_slack(*text));
    if (!json) return fail(json.error().code, json.error().message, path);
    return json->dump();
}

std::string shown(const Error& error) { return error.where.empty() ? error.message : error.where + ": " + error.message; }

}  // namespace

TestFile read_policy_tests(std::string path, std::string text, const Limits& limits, std::vector<std::string>& problems) {
    TestFile file{std::move(path), std::move(text), {}};
    policy::Problems noted(limits.policy_errors_max);
    noted.in_file(file.path);
    const kube::ReadResult read = kube::read_manifests(file.text, limits);
    for (const kube::ReadProblem& problem : read.problems) noted.add(problem.code, problem.position, problem.message);
    for (const kube::Document& document : read.documents) {
        if (!is_policy_test(document.root)) continue;
        const kube::Node* version = document.root.find("apiVersion");
        if (version->text() != "fluxgate.dev/v1alpha1") {
            noted.add(Errc::unsupported_version, version->position(), "apiVersion: expected fluxgate.dev/v1alpha1");
            continue;
        }
        file.tests.push_back(policy::decode_policy_test(document.root, noted));
    }
    for (const policy::Problem& problem : noted.list()) problems.push_back(to_string(problem));
    if (noted.omitted() > 0) problems.push_back(fmt::format("{}: and {} more problems", file.path, noted.omitted()));
    return file;
}

FoundTests find_policy_tests(const std::vector<std::string>& paths, const Limits& limits) {
    FoundTests found;
    const auto add = [&](const std::string& path, bool named) {
        auto text = read_file(path, limits.manifest_bytes_max);
        if (!text) return found.problems.push_back(shown(text.error()));
        if (!may_hold_a_test(*text)) {
            if (named) found.problems.push_back(path + ": holds no PolicyTest");
            return;
        }
        const std::size_t before = found.problems.size();
        TestFile file = read_policy_tests(path, std::move(*text), limits, found.problems);
        if (file.tests.empty() && named && found.problems.size() == before) found.problems.push_back(path + ": holds no PolicyTest");
        if (!file.tests.empty()) found.files.push_back(std::move(file));
    };
    for (const std::string& path : paths) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            add(path, true);
            continue;
        }
        for (const std::string& file : files_below(path, found.problems)) add(file, false);
    }
    return found;
}

std::shared_ptr<const policy::PolicySet> TestRunner::set_of(const TestFile& file, const policy::PolicyTest& test,
                                                            std::vector<std::string>& problems) {
    std::vector<std::string> paths;
    if (options_.policies)
        paths.push_back(*options_.policies);
    else
        for (const policy::PolicyPath& policies : test.policies) paths.push_back(path_from(file, policies.path));
    const auto known = sets_.find(paths);
    if (known != sets_.end()) return known->second;

    std::shared_ptr<const policy::PolicySet>& set = sets_[paths];
    std::vector<policy::PolicyFile> files;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const auto refuse = [&](const std::string& message) {
            problems.push_back(options_.policies ? message : place(file.path, test.policies[i].position) + ": " + message);
        };
        std::error_code error;
        if (fs::is_directory(paths[i], error)) {
            auto folder = policy::read_policy_directory(paths[i], options_.limits);
            if (!folder) {
                refuse(shown(folder.error()));
                return nullptr;
            }
            for (policy::PolicyFile& one : *folder) files.push_back({(fs::path(paths[i]) / one.name).string(), std::move(one.text)});
        } else {
            auto text = read_file(paths[i], options_.limits.policy_file_bytes_max);
            if (!text) {
                refuse(shown(text.error()));
                return nullptr;
            }
            files.push_back({paths[i], std::move(*text)});
        }
    }
    const policy::CompileResult compiled = policy::compile(
        files, {.limits = options_.limits, .namespace_labels = true, .exception_horizon = options_.exception_horizon, .now = options_.now});
    for (const policy::Problem& problem : compiled.problems) problems.push_back(to_string(problem));
    if (compiled.problems_omitted > 0) problems.push_back(fmt::format("and {} more", compiled.problems_omitted));
    set = compiled.set;
    return set;
}

Result<std::string> TestRunner::review_text(const TestFile& file, const policy::PolicyTest& test,
                                            const policy::PolicyTestCase& test_case) const {
    if (test_case.review.given()) return recorded_review(file, test_case.review, options_.limits);
    const bool only_old = !test_case.object.given();
    const auto object = text_of(file, only_old ? test_case.old_object : test_case.object, options_.limits);
    if (!object) return tl::unexpected(object.error());
    std::optional<std::string> old_object;
    if (!only_old && test_case.old_object.given()) {
        auto read = text_of(file, test_case.old_object, options_.limits);
        if (!read) return tl::unexpected(read.error());
        old_object = std::move(*read);
    }
    kube::JsonReader reader(options_.limits);
    const auto json = reader.read(*object);
    if (!json) return tl::unexpected(json.error());
    return review_of(
        *json, *object, old_object, ClusterFacts("default"),
        {.user = test_case.user, .operation = test_case.operation, .dry_run = test_case.dry_run, .uid = uid_of(test, test_case)});
}

CaseResult TestRunner::run(const TestFile& file, const policy::PolicyTest& test, const policy::PolicyTestCase& test_case,
                           const policy::PolicySet& set, const Seen& seen) const {
    CaseResult result;
    const auto stop = [&](const std::string& why) {
        result.error = place(file.path, test_case.position) + ": " + why;
        return result;
    };
    const auto text = review_text(file, test, test_case);
    if (!text) return stop(shown(text.error()));
    const policy::Context context{.now = test_case.time.value_or(options_.now), .namespace_labels = test_case.namespace_labels};
    kube::ReviewReader reader(options_.limits);
    const std::string as_sent = kube::with_slack(*text);
    result.review = test_case.review.given() ? as_sent : with_defaults(as_sent, reader, set, context);
    kube::ReviewReader reader_as_sent(options_.limits);
    const auto before_defaults = reader_as_sent.read(as_sent);
    const auto review = reader.read(result.review);
    if (!before_defaults) return stop("the review cannot be read: " + to_string(before_defaults.error().error));
    if (!review) return stop("the review cannot be read with its defaults: " + to_string(review.error().error));
    try {
        result.verdict = policy::evaluate(*review, set, context);
        if (seen) seen(*before_defaults, *review, context);
    } catch (const std::exception& exception) {
        return stop(std::string("an error inside Fluxgate: ") + exception.what());
    }
    if (result.verdict.error) return stop(to_string(*result.verdict.error));
    result.message = webhook::message_of_denial(*review, result.verdict, options_.limits);
    result.differences = policy::differences(test_case.expect, result.verdict, result.message);
    return result;
}

}  // namespace fluxgate::cli
