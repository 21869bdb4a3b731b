#include "policy/loader.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "kube/manifest.hpp"
#include "policy/decode_grant.hpp"
#include "policy/decode_policy.hpp"
#include "policy/decode_writers.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "policy/policy_config_map.hpp"
#include "policy/policy_test.hpp"

namespace fluxgate::policy {

namespace {

class Compiler {
public:
    explicit Compiler(const CompileOptions& options) : options_(options), problems_(options.limits.policy_errors_max) {}

    void add(const PolicyFile& file) {
        problems_.in_file(file.name);
        const kube::ReadResult read = kube::read_manifests(file.text, options_.limits);
        for (const kube::ReadProblem& problem : read.problems) problems_.add(problem.code, problem.position, problem.message);
        for (const kube::Document& document : read.documents) add_document(document.root);
    }

    CompileResult finish(std::string digest) {
        for (std::size_t i = 0; i < set_.policies.size(); ++i) {
            auto& rules = rules_[set_.policies[i].name];
            for (std::size_t j = 0; j < set_.policies[i].rules.size(); ++j) rules.emplace(set_.policies[i].rules[j].name, std::pair(i, j));
        }
        for (std::size_t i = 0; i < references_.size(); ++i) {
            for (const RuleReference& reference : references_[i]) resolve(reference, i);
        }
        for (Policy& policy : set_.policies) {
            for (Rule& rule : policy.rules) {
                if (auto* lock = std::get_if<LockRule>(&rule.body)) find_writers(*lock);
            }
        }
        if (set_.policies.empty() && problems_.empty()) {
            problems_.in_file("(policies)");
            problems_.add(Errc::invalid_policy, {},
                          "no GuardPolicy found: this set would protect nothing; put at least one into the folder");
        }
        CompileResult result{nullptr, problems_.list(), problems_.omitted()};
        if (!problems_.empty()) return result;
        set_.digest = std::move(digest);
        set_.options = options_;
        set_.index = Index(set_.policies);
        set_.escape = EscapeGuard::compile(set_.policies);
        for (const Policy& policy : set_.policies) {
            for (const Rule& rule : policy.rules) set_.has_defaults = set_.has_defaults || std::holds_alternative<DefaultsRule>(rule.body);
        }
        result.set = std::make_shared<const PolicySet>(std::move(set_));
        return result;
    }

private:
    void add_document(const kube::Node& root) {
        Problems& problems = problems_;
        if (root.kind() != kube::Node::Kind::mapping) {
            problems.add(Errc::wrong_type, root.position(), fmt::format("expected a GuardPolicy, have {}", kube::describe(root.kind())));
            return;
        }
        const kube::Node* api_version = root.find("apiVersion");
        const kube::Node* kind = root.find("kind");
        // The JSON Schema that editors read may lie beside the policies.
        if (root.find("$schema") && !api_version && !kind) return;
        if (!api_version || api_version->text() != kApiVersion) {
            problems.add(Errc::unsupported_version, api_version ? api_version->position() : root.position(),
                         fmt::format("apiVersion: expected {}", kApiVersion));
        }
        if (!kind) {
            problems.add(Errc::missing_field, root.position(),
                         "kind is missing: expected GuardPolicy, GuardException, WriterProfile, BreakGlass or PolicyTest");
            return;
        }
        const auto index = one_of(*kind, "kind", {"GuardPolicy", "GuardException", "WriterProfile", "BreakGlass", "PolicyTest"}, problems);
        if (index == 0) {
            Policy policy = decode_policy(root, options_, problems);
            expect_new_name("policy", policy.name, root);
            set_.policies.push_back(std::move(policy));
        } else if (index == 1) {
            ExceptionFile file = decode_exception(root, options_, problems);
            expect_new_name("exception", file.exception.name, root);
            set_.exceptions.push_back(std::move(file.exception));
            references_.push_back(std::move(file.references));
        } else if (index == 2) {
            WriterProfile profile = decode_writer_profile(root, problems);
            expect_new_name("writer profile", profile.name, root);
            set_.writers.push_back(std::make_shared<const WriterProfile>(std::move(profile)));
        } else if (index == 3) {
            Grant grant = decode_grant(root, problems);
            expect_new_name("grant", grant.name, root);
            set_.grants.push_back(std::move(grant));
        } else if (index) {
            decode_policy_test(root, problems);
        }
    }

    void expect_new_name(std::string_view what, const std::string& name, const kube::Node& root) {
        const auto [first, is_new] = places_.emplace(fmt::format("{} {}", what, name), problems_.file());
        if (is_new || name.empty()) return;
        problems_.add(Errc::invalid_policy, root.position(),
                      fmt::format("metadata.name: another {} named \"{}\" is in {}", what, name, first->second));
    }

    void find_writers(LockRule& lock) {
        for (const WriterReference& reference : lock.references) {
            if (problems_.full()) break;  // nothing more would be shown
            // Each is a copy of the profile, and files could name it a hundred thousand times.
            if (!reference.accounts.empty() && ++writers_with_accounts_ > kWritersWithAccountsMax) {
                problems_.in_file(reference.file);
                problems_.add(Errc::too_large, reference.position,
                              fmt::format("{}: more than {} writers with accounts in a set", reference.what, kWritersWithAccountsMax));
                break;
            }
            if (auto profile = find_writer(reference)) {
                lock.writers.push_back(std::move(profile));
                continue;
            }
            std::vector<std::string> names;
            for (const WriterProfile& profile : built_in_writers()) names.push_back(profile.name);
            for (const auto& profile : set_.writers) names.push_back(profile->name);
            problems_.in_file(reference.file);
            problems_.add(Errc::invalid_policy, reference.position,
                          fmt::format("{}: no writer profile is named \"{}\"{}; expected one of: {}", reference.what, reference.name,
                                      problems_.full() ? std::string() : did_you_mean(reference.name, names), fmt::join(names, ", ")));
        }
        lock.references.clear();
    }

    std::shared_ptr<const WriterProfile> find_writer(const WriterReference& reference) const {
        if (const WriterProfile* built_in = find_built_in_writers(reference.name)) {
            if (!reference.accounts.empty()) return std::make_shared<const WriterProfile>(with_accounts(*built_in, reference.accounts));
            return {std::shared_ptr<const WriterProfile>(), built_in};  // owned by nobody: alive for the whole program
        }
        const auto found =
            std::find_if(set_.writers.begin(), set_.writers.end(), [&](const auto& profile) { return profile->name == reference.name; });
        return found == set_.writers.end() ? nullptr : *found;
    }

    // A rule must exist, or the exception is a mistake that shows only on the day it is needed; and it must be no lock.
    void resolve(const RuleReference& reference, std::size_t exception) {
        problems_.in_file(reference.file);
        const auto refuse = [&](const std::string& message) {
            problems_.add(Errc::invalid_policy, reference.position, reference.what + ": " + message);
        };
        const auto hint = [&](const std::string& word, const auto& map) {
            if (problems_.full()) return std::string();  // it would not be shown
            std::vector<std::string> names;
            for (const auto& entry : map) names.push_back(entry.first);
            return did_you_mean(word, names);
        };
        const auto policy = rules_.find(reference.policy);
        if (policy == rules_.end())
            return refuse(fmt::format("no policy is named \"{}\"{}", reference.policy, hint(reference.policy, rules_)));
        const auto found = policy->second.find(reference.rule);
        if (found == policy->second.end()) {
            return refuse(
                fmt::format("policy \"{}\" has no rule \"{}\"{}", reference.policy, reference.rule, hint(reference.rule, policy->second)));
        }
        Rule& rule = set_.policies[found->second.first].rules[found->second.second];
        if (std::holds_alternative<LockRule>(rule.body)) {
            return refuse(
                fmt::format("\"{}\" is a lock; exceptions are for workload rules, the lock is opened by a BreakGlass grant", rule.name));
        }
        if (std::holds_alternative<DefaultsRule>(rule.body))
            return refuse(fmt::format("\"{}\" fills in defaults and refuses nothing, so there is nothing to except from", rule.name));
        if (!set_.exceptions[exception].containers.empty() && !names_containers(rule.body))
            return refuse(fmt::format("\"{}\" is not about containers, so an exception with containers would never apply", rule.name));
        if (!rule.exceptions.empty() && rule.exceptions.back() == exception) return refuse("names the same rule again");
        rule.exceptions.push_back(exception);
    }

    const CompileOptions& options_;
    Problems problems_;
    PolicySet set_;
    std::vector<std::vector<RuleReference>> references_;  // of each exception
    static constexpr std::size_t kWritersWithAccountsMax = 1'000;
    std::size_t writers_with_accounts_ = 0;
    std::map<std::string, std::string> places_;  // "policy NAME" → file
    // policy → rule → where they are in the set
    std::map<std::string, std::map<std::string, std::pair<std::size_t, std::size_t>>> rules_;
};

}  // namespace

std::string archive_of(const std::vector<PolicyFile>& files) {
    std::string all;
    for (const PolicyFile& file : files) all += fmt::format("{}\n{}\n{}", file.name, file.text.size(), file.text);
    return all;
}

Result<std::vector<PolicyFile>> read_policy_directory(const std::filesystem::path& directory, const Limits& limits) {
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        if (!is_policy_file_name(entry->path().filename().string())) continue;
        std::error_code type_error;
        if (entry->is_directory(type_error)) continue;
        paths.push_back(entry->path());
    }
    if (error) return fail(Errc::io, fmt::format("cannot read the policy directory: {}", error.message()), directory.string());
    if (paths.size() > limits.policy_files_max) {
        return fail(Errc::too_large, fmt::format("{} policy files; at most {} are read", paths.size(), limits.policy_files_max),
                    directory.string());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<PolicyFile> files;
    std::size_t bytes = 0;
    for (const auto& path : paths) {
        std::ifstream stream(path, std::ios::binary);
        // One byte more than allowed is enough for the reader to refuse the file.
        std::string text(limits.policy_file_bytes_max + 1, '\0');
        stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        if (!stream.is_open() || stream.bad()) return fail(Errc::io, "cannot read the policy file", path.string());
        text.resize(static_cast<std::size_t>(stream.gcount()));
        bytes += text.size();
        if (bytes > limits.policy_set_bytes_max) {
            return fail(Errc::too_large, fmt::format("more than {} bytes of policy files", limits.policy_set_bytes_max),
                        directory.string());
        }
        files.push_back({path.filename().string(), std::move(text)});
    }
    return files;
}

CompileResult compile(const std::vector<PolicyFile>& files, const CompileOptions& options) {
    Compiler compiler(options);
    std::size_t bytes = 0;
    for (const PolicyFile& file : files) bytes += file.text.size();
    if (files.size() > options.limits.policy_files_max || bytes > options.limits.policy_set_bytes_max) {
        Problem problem{Errc::too_large, "(policies)", {}, {}};
        problem.message = fmt::format("{} files of {} bytes together; at most {} files and {} bytes make a set", files.size(), bytes,
                                      options.limits.policy_files_max, options.limits.policy_set_bytes_max);
        return {nullptr, {std::move(problem)}, 0};
    }
    for (const PolicyFile& file : files) compiler.add(file);
    return compiler.finish("sha256:" + sha256_hex(archive_of(files)));
}

}  // namespace fluxgate::policy
