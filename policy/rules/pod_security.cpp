#include "policy/rules/pod_security.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

using Check = PodSecurityCheck;
using Level = PodSecurityLevel;

// "v1.N"
std::optional<int> parse_minor(std::string_view text) {
    if (!text.starts_with("v1.")) return std::nullopt;
    const std::string_view digits = text.substr(3);
    if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    int minor = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    return error == std::errc() ? std::min(minor, kPodSecurityMinorLatest) : kPodSecurityMinorLatest;
}

// What `checks` and `exclude` may name: a check of the level at that version. Another one would silently do nothing.
std::optional<Check> decode_check(const kube::Node& node, const std::string& what, const PodSecurityRule& rule, PodSecurityChecks allowed,
                                  Problems& problems) {
    const auto check = node.kind() == kube::Node::Kind::string ? find_pod_security_check(node.text()) : std::nullopt;
    const auto names = allowed.names();
    if (check && !allowed.has(*check)) {
        problems.add(Errc::invalid_policy, node.position(),
                     names.empty() ? fmt::format("{}: {} is no check of {}, which has none", what, node.text(), rule.level_and_version)
                                   : fmt::format("{}: {} is no check of {}; its checks are: {}", what, node.text(), rule.level_and_version,
                                                 fmt::join(names, ", ")));
        return std::nullopt;
    }
    const auto index = one_of(node, what, names, problems);
    return index ? find_pod_security_check(names[*index]) : std::nullopt;
}

std::vector<ImagePattern> decode_images(Mapping& fields) {
    std::vector<ImagePattern> images;
    const std::size_t before = fields.problems().list().size() + fields.problems().omitted();
    fields.each("images", [&](const kube::Node& item, const std::string& what) {
        if (item.kind() != kube::Node::Kind::string) {
            return fields.problems().add(Errc::wrong_type, item.position(),
                                         fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
        }
        auto pattern = ImagePattern::compile(item.text());
        if (pattern)
            images.push_back(std::move(*pattern));
        else
            fields.problems().add(Errc::invalid_policy, item.position(), what + ": " + pattern.error().message);
    });
    const bool well = before == fields.problems().list().size() + fields.problems().omitted();
    if (images.empty() && well)
        fields.problem("images", "must name at least one image; to drop the check as a whole, list the others in checks");
    return images;
}

std::optional<PodSecurityRule::Exclusion> decode_exclusion(const kube::Node& node, const std::string& what, const PodSecurityRule& rule,
                                                           PodSecurityChecks of_level, Problems& problems) {
    Mapping fields(node, what, problems);
    std::optional<Check> check;
    if (const kube::Node* name = fields.required("check", "the name of a check")) {
        check = decode_check(*name, fields.name_of("check"), rule, of_level, problems);
    }
    auto images = decode_images(fields);
    fields.finish();
    if (check && !looks_at_containers(*check)) {
        fields.problem("check",
                       fmt::format("{} looks at the pod, not at its containers, so no image can be excluded from it", to_string(*check)));
        return std::nullopt;
    }
    if (!check) return std::nullopt;
    return PodSecurityRule::Exclusion{*check, std::move(images)};
}

// --- comparing two states ---------------------------------------------------------------------------------------------

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

using Members = std::vector<std::pair<std::string_view, kube::Json>>;

// Sorted, so that hostile keys cost n log n.
template <class F>
Members members_of(kube::Json object, F&& wanted) {
    Members members;
    object.each_member([&](std::string_view key, kube::Json value) {
        if (wanted(key)) members.emplace_back(key, value);
    });
    std::sort(members.begin(), members.end(), [](const auto& one, const auto& other) { return one.first < other.first; });
    return members;
}

// Absent and empty are the same; specs and containers are objects by `check_shape`.
template <class F>
bool same_members(kube::Json before, kube::Json after, F&& wanted) {
    const Members were = members_of(before, wanted);
    const Members are = members_of(after, wanted);
    return std::equal(were.begin(), were.end(), are.begin(), are.end(),
                      [](const auto& one, const auto& other) { return one.first == other.first && kube::equal(one.second, other.second); });
}

// Containers are compared one by one; no check reads the others, in any version.
bool counts_in_pod(std::string_view field) {
    constexpr std::string_view kNot[] = {
        "containers", "initContainers",    "ephemeralContainers",   "nodeSelector",
        "affinity",   "tolerations",       "schedulingGates",       "topologySpreadConstraints",
        "nodeName",   "schedulerName",     "activeDeadlineSeconds", "terminationGracePeriodSeconds",
        "priority",   "priorityClassName",
    };
    return !is_one_of(field, kNot);
}

bool counts_in_container(std::string_view field) {
    constexpr std::string_view kNot[] = {
        "env",
        "envFrom",
        "command",
        "args",
        "resources",
        "resizePolicy",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "imagePullPolicy",
        "volumeMounts",
        "workingDir",
        "stdin",
        "stdinOnce",
        "tty",
    };
    return !is_one_of(field, kNot);
}

bool counts_among_annotations(std::string_view key) {
    return key.starts_with(kAppArmorPrefix) || key.starts_with(kSeccompPrefix) || key == kSeccompPodKey;
}

}  // namespace

PodSecurityRule PodSecurityRule::decode(Mapping& fields) {
    PodSecurityRule rule;
    Level level = Level::restricted;
    if (const kube::Node* node = fields.required("level", "restricted, baseline or privileged")) {
        constexpr Level kLevels[] = {Level::restricted, Level::baseline, Level::privileged};
        const auto index = one_of(*node, fields.name_of("level"), {"restricted", "baseline", "privileged"}, fields.problems());
        if (index) level = kLevels[*index];
    }
    std::string version = "latest";
    if (const kube::Node* node = fields.field("version")) {
        const std::string text = fields.string("version");
        const auto minor = text == "latest" ? kPodSecurityMinorLatest : parse_minor(text);
        if (minor && text != "latest") version = fmt::format("v1.{}", *minor);
        if (!minor && node->kind() == kube::Node::Kind::string) fields.problem("version", "expected \"latest\" or \"v1.N\"");
        rule.minor_version = minor.value_or(kPodSecurityMinorLatest);
    }
    rule.level_and_version = fmt::format("{} {}", to_string(level), version);

    const PodSecurityChecks of_level = pod_security_checks(level, rule.minor_version);
    rule.checks = of_level;
    const kube::Node* list = fields.field("checks");
    if (list && !list->items().empty()) rule.checks = {};
    fields.each("checks", [&](const kube::Node& item, const std::string& what) {
        if (const auto check = decode_check(item, what, rule, of_level, fields.problems())) rule.checks.add(*check);
    });
    fields.each("exclude", [&](const kube::Node& item, const std::string& what) {
        if (auto exclusion = decode_exclusion(item, what, rule, of_level, fields.problems()))
            rule.exclusions.push_back(std::move(*exclusion));
    });
    fields.finish();
    return rule;
}

bool PodSecurityRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    return same_members(before.metadata["annotations"], after.metadata["annotations"], counts_among_annotations) &&
           same_members(before.spec, after.spec, counts_in_pod) &&
           same_containers(before, after, [](kube::Json was, kube::Json is) { return same_members(was, is, counts_in_container); });
}

}  // namespace fluxgate::policy
