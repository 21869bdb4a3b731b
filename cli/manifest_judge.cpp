#include "cli/manifest_judge.hpp"

#include <exception>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/findings.hpp"
#include "policy/evaluate.hpp"
#include "policy/mutate.hpp"

namespace fluxgate::cli {

namespace {

// Why an object is not what the cluster will see; empty if it is.
std::string not_judged(kube::Json object) {
    const std::string_view api_version = object["apiVersion"].text();
    const std::string_view kind = object["kind"].text();
    if (kind.starts_with("ENC[") || api_version.starts_with("ENC[")) return "encrypted by SOPS as a whole";
    if (api_version.empty() && kind.empty()) return "no Kubernetes object: it has no apiVersion and no kind";
    if (api_version.starts_with("kustomize.config.k8s.io/")) return "a file for kustomize: kustomize build FOLDER | fluxgate check -";
    return {};
}

}  // namespace

ManifestJudge::ManifestJudge(const policy::PolicySet& set, const ClusterFacts& facts, JudgeOptions options)
    : set_(set),
      facts_(facts),
      options_(std::move(options)),
      json_(set.options.limits),
      reviews_(set.options.limits),
      recorded_(options_.request.namespace_name) {}

std::optional<Judged> ManifestJudge::judge(const kube::ManifestObject& manifest, const std::string& file,
                                           std::optional<std::string_view> old_text) {
    Place place{file, manifest.position};
    const auto object = json_.read(manifest.json);
    if (!object) return problem_of_input(Level::error, std::move(place), to_string(object.error()));
    if (!object->is_object()) {
        return problem_of_input(Level::error, std::move(place), fmt::format("expected a Kubernetes object, have {}", object->type_name()));
    }
    const std::string_view api_version = (*object)["apiVersion"].text();
    if (api_version.starts_with("fluxgate.dev/")) return std::nullopt;
    if (api_version.starts_with("admission.k8s.io/")) return judge_recorded(manifest.json, std::move(place), &manifest);
    if (std::string why = not_judged(*object); !why.empty()) return problem_of_input(Level::not_judged, std::move(place), std::move(why));
    return judge_object(manifest, *object, std::move(place), old_text);
}

Judged ManifestJudge::judge_object(const kube::ManifestObject& manifest, kube::Json object, Place place,
                                   std::optional<std::string_view> old_text) {
    auto text = review_of(object, manifest.json, old_text, facts_, options_.request);
    if (!text) {
        place.position = manifest.locate(object, text.error().where.empty() ? "." : text.error().where);
        return problem_of_input(Level::error, std::move(place), text.error().message);
    }
    if (set_.has_defaults && object["kind"].text() == "Pod") {
        const std::string_view in = object["metadata"]["namespace"].text();
        const auto labels = facts_.labels_of(in.empty() ? options_.request.namespace_name : in);
        text = with_defaults(*text, reviews_, set_, {.now = options_.now, .namespace_labels = labels});
    }
    const auto review = reviews_.read(*text);
    if (!review) return problem_of_input(Level::error, std::move(place), to_string(review.error().error));
    const policy::Verdict verdict = evaluate(*review, facts_.labels_of(review->namespace_name), options_.presence);
    Judged judged =
        judged_from(*review, verdict, set_, std::move(place), [&](std::string_view path) { return manifest.locate(object, path); });
    if (review->kind.kind == "HelmRelease") {
        Finding finding;
        finding.level = Level::not_judged;
        finding.place = judged.place;
        finding.message = "what the chart renders is not judged: helm template CHART | fluxgate check -";
        judged.findings.push_back(std::move(finding));
    }
    return judged;
}

Judged ManifestJudge::judge_recorded(std::string_view text, Place place, const kube::ManifestObject* manifest) {
    const auto review = reviews_.read(text);
    if (!review) {
        Judged judged = problem_of_input(Level::error, std::move(place), to_string(review.error().error));
        judged.recorded = true;
        judged.uid = review.error().uid;
        return judged;
    }
    const policy::Verdict verdict = evaluate(*review, recorded_.labels_of(review->namespace_name), false);
    Locate locate;
    if (manifest) {
        locate = [&](std::string_view path) {
            const auto document = json_.read(manifest->json);
            const std::string_view member = review->object.absent_or_null() ? ".request.oldObject" : ".request.object";
            return document ? manifest->locate(*document, std::string(member) + (path == "." ? "" : std::string(path)))
                            : manifest->position;
        };
    }
    Judged judged = judged_from(*review, verdict, set_, std::move(place), locate);
    judged.recorded = true;
    judged.uid = review->uid;
    if (review->object.present()) recorded_.learn(review->object);
    return judged;
}

policy::Verdict ManifestJudge::evaluate(const kube::Review& review, std::optional<kube::Labels> labels, bool presence) const {
    policy::Context context{.now = options_.now, .namespace_labels = std::move(labels)};
    if (presence) context.budgets = &facts_.budgets();
    try {
        policy::Verdict verdict = policy::evaluate(review, set_, context);
        if (options_.observe) options_.observe(review, context, verdict);
        return verdict;
    } catch (const std::exception& exception) {  // as the webhook: our own mistake is a denial of this one, not the end of the run
        return policy::Verdict::undecided({Errc::internal, std::string("an error inside Fluxgate: ") + exception.what(), {}});
    }
}

std::string with_defaults(const std::string& review_text, kube::ReviewReader& reader, const policy::PolicySet& set,
                          const policy::Context& context) {
    const auto review = reader.read(review_text);
    if (!review) return kube::with_slack(review_text);
    const policy::Patch patch = policy::mutate(*review, set, context);
    if (patch.empty()) return kube::with_slack(review_text);
    auto changed = nlohmann::json::parse(review_text);
    changed["request"]["object"] = changed["request"]["object"].patch(patch.operations());
    return kube::with_slack(changed.dump());
}

}  // namespace fluxgate::cli
