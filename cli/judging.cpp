#include "cli/judging.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/findings.hpp"
#include "cli/input/inputs.hpp"
#include "cli/manifest_judge.hpp"
#include "policy/identities.hpp"

namespace fluxgate::cli {

namespace {

// The objects before, by kind, namespace and name.
class OldObjects {
public:
    OldObjects(const Limits& limits, std::string namespace_name) : json_(limits), namespace_name_(std::move(namespace_name)) {}

    void learn(const kube::ManifestObject& manifest) {
        if (auto key = key_of(manifest)) texts_[*key] = manifest.json;
    }
    const std::string* find(const kube::ManifestObject& manifest) {
        const auto key = key_of(manifest);
        const auto found = key ? texts_.find(*key) : texts_.end();
        return found == texts_.end() ? nullptr : &found->second;
    }

private:
    using Key = std::tuple<std::string, std::string, std::string, std::string>;
    std::optional<Key> key_of(const kube::ManifestObject& manifest) {
        const auto object = json_.read(manifest.json);
        if (!object || !object->is_object()) return std::nullopt;
        const kube::Json metadata = (*object)["metadata"];
        const auto text = [](kube::Json value) { return std::string(value.text()); };
        std::string in = text(metadata["namespace"]);
        if (in.empty()) in = namespace_name_;  // what has none lands here too, on both sides
        return Key{kube::split_api_version((*object)["apiVersion"].text()).first, text((*object)["kind"]), std::move(in),
                   text(metadata["name"])};
    }

    kube::JsonReader json_;
    std::string namespace_name_;
    std::map<Key, std::string> texts_;
};

kube::Operation operation_named(std::string_view name) {
    if (name == "UPDATE") return kube::Operation::update;
    if (name == "DELETE") return kube::Operation::remove;
    return kube::Operation::create;
}

// The next line without its end; false at the end, and when reading fails. Of a line that is longer than any review the rest is passed
// over: what is left is refused for its size.
bool read_line(std::istream& stream, std::size_t bytes_max, std::string& line) {
    line.clear();
    std::streambuf& bytes = *stream.rdbuf();
    bool any = false;
    try {
        for (int c = 0; (c = bytes.sbumpc()) != std::streambuf::traits_type::eof(); any = true) {
            if (c == '\n') return true;
            if (line.size() <= bytes_max) line += static_cast<char>(c);
        }
    } catch (const std::ios_base::failure&) {  // a folder, a failing disk
        stream.setstate(std::ios::badbit);
        return false;
    }
    stream.setstate(std::ios::eofbit);
    return any;
}

// A judge for each set, over the same facts.
class Judges {
public:
    Judges(const std::vector<const policy::PolicySet*>& sets, const ClusterFacts& facts, const JudgeOptions& options,
           const JudgingEvents& events) {
        for (std::size_t i = 0; i < sets.size(); ++i) {
            JudgeOptions of_set = options;
            if (events.observe) {
                of_set.observe = [&events, i](const kube::Review& review, const policy::Context& context, const policy::Verdict& verdict) {
                    events.observe(i, review, context, verdict);
                };
            }
            judges_.push_back(std::make_unique<ManifestJudge>(*sets[i], facts, std::move(of_set)));
        }
    }

    // f(ManifestJudge&) gives a Judged, or nothing, which it then does for all.
    template <class F>
    std::vector<Judged> each(F&& f) {
        std::vector<Judged> list;
        for (const auto& judge : judges_) {
            std::optional<Judged> judged = f(*judge);
            if (judged) list.push_back(std::move(*judged));
        }
        return list;
    }

private:
    std::vector<std::unique_ptr<ManifestJudge>> judges_;
};

class Judging {
public:
    Judging(const JudgingFlags& flags, const std::vector<const policy::PolicySet*>& sets, const JudgingEvents& events)
        : flags_(flags), sets_(sets), events_(events), limits_(sets.front()->options.limits) {}

    // Manifests: once to learn what they say about the cluster, once to judge.
    Result<std::size_t> manifests(JudgeOptions options) {
        Inputs inputs(flags_.paths, limits_);
        ClusterFacts facts(flags_.namespace_name);
        kube::JsonReader json(limits_);
        inputs.read({.object =
                         [&](const std::string&, kube::ManifestObject&& manifest) {
                             if (const auto object = json.read(manifest.json)) facts.learn(*object);
                         },
                     .problem = [](Level, const Place&, const std::string&) {},
                     .wanted = &ClusterFacts::may_learn_from});

        OldObjects old_objects(limits_, flags_.namespace_name);
        if (const auto read = read_old(old_objects); !read) return tl::unexpected(read.error());
        const bool with_old = !flags_.old.empty();
        // With --old, what is not there is new.
        JudgeOptions of_new = options;
        if (with_old) of_new.request.operation = kube::Operation::create;
        if (with_old && flags_.operation.empty()) options.request.operation = kube::Operation::update;
        Judges judges(sets_, facts, options, events_);
        Judges judges_of_new(sets_, facts, of_new, events_);

        inputs.read({.object =
                         [&](const std::string& file, kube::ManifestObject&& manifest) {
                             const std::string* old = with_old ? old_objects.find(manifest) : nullptr;
                             const auto old_text = old ? std::optional<std::string_view>(*old) : std::nullopt;
                             Judges& right_ones = old || !with_old ? judges : judges_of_new;
                             tell(right_ones.each([&](ManifestJudge& judge) { return judge.judge(manifest, file, old_text); }));
                         },
                     .problem =
                         [&](Level level, const Place& place, const std::string& message) {
                             tell(std::vector<Judged>(sets_.size(), problem_of_input(level, place, message)));
                         },
                     .progress = events_.progress});
        return inputs.files();
    }

    // Recorded reviews, a line each.
    Result<std::size_t> reviews(const JudgeOptions& options) {
        std::ifstream file;
        const bool standard_input = flags_.reviews == "-";
        if (!standard_input) {
            file.open(flags_.reviews, std::ios::binary);
            if (!file) return fail(Errc::io, "cannot read " + flags_.reviews);
        }
        std::istream& stream = standard_input ? std::cin : file;
        const std::string shown = standard_input ? "<stdin>" : flags_.reviews;
        const ClusterFacts none(flags_.namespace_name);
        Judges judges(sets_, none, options, events_);
        int number = 0;
        for (std::string line; read_line(stream, limits_.body_bytes_max, line);) {
            ++number;
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            line.reserve(line.size() + kube::kJsonSlack);
            tell(judges.each([&](ManifestJudge& judge) { return std::optional(judge.judge_recorded(line, {shown, {number, 1}})); }));
        }
        if (stream.bad() || !stream.eof()) return fail(Errc::io, fmt::format("{}: cannot be read further, behind line {}", shown, number));
        return 1;
    }

private:
    Result<void> read_old(OldObjects& old_objects) {
        if (flags_.old.empty()) return {};
        std::optional<Error> problem;
        Inputs old({flags_.old}, limits_);
        old.read({.object = [&](const std::string&, kube::ManifestObject&& manifest) { old_objects.learn(manifest); },
                  .problem =
                      [&](Level level, const Place& place, const std::string& message) {
                          if (level == Level::error && !problem) problem = Error{Errc::io, "--old: " + place.file + ": " + message, {}};
                      }});
        if (problem) return tl::unexpected(*problem);
        return {};
    }

    void tell(std::vector<Judged>&& judged) {
        if (judged.size() == sets_.size()) events_.judged(std::move(judged));
    }

    const JudgingFlags& flags_;
    const std::vector<const policy::PolicySet*>& sets_;
    const JudgingEvents& events_;
    const Limits& limits_;
};

}  // namespace

Result<std::size_t> judge_input(const JudgingFlags& flags, const std::vector<const policy::PolicySet*>& sets, const JudgingEvents& events) {
    if (flags.old == "-" && std::find(flags.paths.begin(), flags.paths.end(), "-") != flags.paths.end())
        return fail(Errc::invalid_argument, "standard input is named twice: as the manifests and as --old");
    if (flags.paths.empty() == flags.reviews.empty()) {
        return fail(Errc::invalid_argument, flags.paths.empty()
                                                ? "nothing to judge: name files, folders or - (standard input), or --reviews FILE"
                                                : "give manifests or --reviews, not both");
    }
    const auto user = policy::user_info(flags.as, flags.groups);
    if (!user) return fail(Errc::invalid_argument, "--as: " + user.error().message);
    JudgeOptions options;
    options.request = {
        .user = *user, .operation = operation_named(flags.operation), .namespace_name = flags.namespace_name, .dry_run = flags.dry_run};
    options.now = SystemClock().now();
    options.presence = !flags.without_presence;
    if (!flags.time.empty()) {
        const auto time = parse_rfc3339(flags.time);
        if (!time) return fail(Errc::invalid_argument, "--time: " + time.error().message);
        options.now = *time;
    }
    Judging judging(flags, sets, events);
    return flags.reviews.empty() ? judging.manifests(options) : judging.reviews(options);
}

void add_judging_flags(CLI::App& command, JudgingFlags& flags, const std::string& name) {
    command.add_option(name, flags.paths, "manifests: files, folders, or - for standard input (YAML, JSON, Lists, AdmissionReviews)");
    command.add_option("--reviews", flags.reviews, "recorded AdmissionReviews as JSON Lines instead of manifests; - is standard input");
    command.add_option("--as", flags.as, "who writes: flux, flux/helm-controller, system:serviceaccount:NAMESPACE:NAME, or a user's name")
        ->capture_default_str();
    command.add_option("--as-group", flags.groups, "a group of that user; may be given again")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--operation", flags.operation, "what is done with the manifests (default CREATE; with --old UPDATE)")
        ->check(CLI::IsMember({"CREATE", "UPDATE", "DELETE"}));
    command.add_option("--old", flags.old, "the manifests before: what is there too is judged as an update");
    command.add_option("-n,--namespace", flags.namespace_name, "of manifests that name none")->capture_default_str();
    command.add_option("--time", flags.time, "judge as at this time, such as 2027-01-31T12:00:00Z: exceptions end, enforceFrom begins");
    command.add_flag("--dry-run", flags.dry_run, "judge as `kubectl apply --dry-run=server` would be");
    command.add_flag("--without-presence", flags.without_presence,
                     "do not ask for PodDisruptionBudgets: the input is a part of what is deployed");
}

}  // namespace fluxgate::cli
