#include "policy/rules/images.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/decode_match.hpp"
#include "policy/rules/fields.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

const std::vector<std::string_view> kPullPolicies{"Always", "IfNotPresent", "Never"};

std::string_view default_pull_policy(const kube::ImageReference& image) {
    return image.tag == "latest" || (image.tag.empty() && image.digest.empty()) ? "Always" : "IfNotPresent";
}

// `nginx` alone does not tell the reader which registry was judged.
std::string with_registry(std::string_view text, const kube::ImageReference& image) {
    return text.starts_with(image.registry) ? shown(text) : fmt::format("{}, which is {}", shown(text), image.full_name());
}

template <class Pattern>
std::string texts_of(const std::vector<Pattern>& patterns) {
    std::vector<std::string> texts;
    for (const Pattern& pattern : patterns) texts.push_back(pattern.text());
    return listed(texts);
}

enum class Field { image, pull_policy };

// Calls add(Field, have, want): the image of a container and that of a volume have the two in different places.
template <class Add>
void judge_image(const ImagesRule& rule, kube::Json name, kube::Json pull_policy, Add&& add) {
    const auto image = kube::ImageReference::parse(name.text());
    if (!image) {
        add(Field::image, shown(name),
            name.absent_or_null() ? "an image"
                                  : fmt::format("the name of an image; this {}", name.is_string() ? image.error().message : "is none"));
    } else {
        const auto covers = [&](const kube::ImagePrefix& prefix) { return prefix.covers(*image); };
        if (!rule.registries.empty() && std::none_of(rule.registries.begin(), rule.registries.end(), covers))
            add(Field::image, with_registry(name.text(), *image), "an image from " + texts_of(rule.registries));
        const bool floats = image->tag.empty() && image->digest.empty();
        if (rule.require_digest && image->digest.empty())
            add(Field::image, shown(name), "a digest (@sha256:…)");
        else if (rule.require_tag && floats)
            add(Field::image, shown(name), "a tag or a digest");
        else if (image->digest.empty() && any_matches(rule.deny_tags, floats ? "latest" : image->tag))
            add(Field::image, floats ? shown(name) + ", whose tag is latest" : shown(name), "a tag other than " + texts_of(rule.deny_tags));
    }
    if (rule.pull_policies.empty()) return;
    const bool absent = is_empty(pull_policy);
    if (absent && !image) return;  // said already
    const std::string_view policy = absent ? default_pull_policy(*image) : pull_policy.text();
    if (std::find(rule.pull_policies.begin(), rule.pull_policies.end(), policy) != rule.pull_policies.end()) return;
    add(Field::pull_policy, absent ? fmt::format("(absent), which becomes {}", policy) : shown(pull_policy), listed(rule.pull_policies));
}

}  // namespace

ImagesRule ImagesRule::decode(Mapping& fields) {
    ImagesRule rule;
    const DemandCheck demands(fields);
    fields.each("registries", [&](const kube::Node& item, const std::string& what) {
        auto prefix = kube::ImagePrefix::parse(item.text());
        if (item.kind() == kube::Node::Kind::string && prefix) {
            rule.registries.push_back(std::move(*prefix));
        } else if (item.kind() == kube::Node::Kind::string) {
            fields.problems().add(Errc::invalid_policy, item.position(),
                                  fmt::format("{}: {} {}", what, shown(item.text()), prefix.error().message));
        } else {
            fields.problems().add(Errc::wrong_type, item.position(),
                                  fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
        }
    });
    refuse_empty_list(fields, "registries", "reads as if no image were allowed; leave it out to allow any registry");
    rule.require_tag = decode_boolean(fields, "requireTag").value_or(false);
    rule.deny_tags = decode_globs(fields, "denyTags");
    refuse_empty_list(fields, "denyTags", "denies nothing; leave it out");
    rule.require_digest = decode_boolean(fields, "requireDigest").value_or(false);
    rule.pull_policies = decode_names(fields, "pullPolicy", kPullPolicies);  // the schema's own example has [] for any
    fields.finish();
    demands.require(
        !rule.registries.empty() || rule.require_tag || !rule.deny_tags.empty() || rule.require_digest || !rule.pull_policies.empty(),
        "images: demands nothing; give registries, requireTag, denyTags, requireDigest or pullPolicy");
    return rule;
}

void ImagesRule::judge(const kube::PodTemplate& pod, Findings& findings) const {
    pod.each_container([&](const kube::Container& container) {
        judge_image(
            *this, container.json["image"], container.json["imagePullPolicy"], [&](Field field, std::string have, std::string want) {
                findings.add(pod, container, field == Field::pull_policy ? "imagePullPolicy" : "image", std::move(have), std::move(want));
            });
    });
    std::size_t index = 0;
    pod.spec["volumes"].each_item([&](kube::Json volume) {
        const std::size_t at = index++;
        const kube::Json image = volume["image"];
        if (image.absent_or_null()) return;
        judge_image(*this, image["reference"], image["pullPolicy"], [&](Field field, std::string have, std::string want) {
            std::string path(pod.spec_path);
            path += ".volumes";
            const std::string_view name = volume["name"].text();
            if (name.empty() || name.size() > 63)
                kube::append_index(path, at);
            else
                kube::append_key(path, "name", name);
            findings.add(path + (field == Field::pull_policy ? ".image.pullPolicy" : ".image.reference"), std::move(have), std::move(want));
        });
    });
}

bool ImagesRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    return same_containers(before, after,
                           [](kube::Json was, kube::Json is) {
                               return kube::equal(was["image"], is["image"]) && kube::equal(was["imagePullPolicy"], is["imagePullPolicy"]);
                           }) &&
           kube::each_pair(before.spec["volumes"], after.spec["volumes"], [](kube::Json was, kube::Json is) {
               return kube::equal(was["name"], is["name"]) && kube::equal(was["image"], is["image"]);
           });
}

}  // namespace fluxgate::policy
