// What reading and judging one review costs, without sockets: `make bench` runs it first.
//
//   bench_judge REVIEW.json POLICIES_DIR    a table for people, then one line of JSON for each figure
//
// A figure is the fastest of many short batches, because whatever else the machine does only makes them slower; the median
// stands beside it.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <simdjson.h>

#include "audit/record.hpp"
#include "base/clock.hpp"
#include "kube/admission_review.hpp"
#include "policy/evaluate.hpp"
#include "policy/loader.hpp"
#include "webhook/effective_change.hpp"
#include "webhook/make_record.hpp"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace fluxgate;

constexpr int kBatches = 400;
constexpr std::chrono::microseconds kBatchTime{500};
// Of the policies that do not concern the review.
constexpr std::size_t kFewPolicies = 10;
constexpr std::size_t kManyPolicies = 1'000;

// The result is used, as far as the compiler knows.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

struct Cost {
    double min_us = 0;
    double median_us = 0;
    double allocations = 0;  // a call
};

template <class F>
double batch_us(F& f, std::size_t calls) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < calls; ++i) f();
    const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
    return elapsed.count() / static_cast<double>(calls);
}

template <class F>
Cost measure(F f) {
    std::vector<double> times;
    times.reserve(kBatches);
    const double first_us = std::min(batch_us(f, 10), batch_us(f, 10));
    const auto calls = std::max<std::size_t>(10, static_cast<std::size_t>(static_cast<double>(kBatchTime.count()) / first_us));
    const std::size_t allocations_before = allocations;
    for (int batch = 0; batch < kBatches; ++batch) times.push_back(batch_us(f, calls));
    const auto allocated = static_cast<double>(allocations - allocations_before);
    std::sort(times.begin(), times.end());
    return {times.front(), times[times.size() / 2], allocated / (static_cast<double>(calls) * kBatches)};
}

std::string read_file(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Policies for other namespaces, named whole or by a prefix, and for other kinds in this namespace.
std::string other_policy(std::size_t i) {
    const std::string number = std::to_string(i);
    std::string match;
    switch (i % 4) {
        case 0: match = "namespaces: [team-" + number + "]"; break;
        case 1: match = "namespaces: [team-" + number + ", \"team-" + number + "-*\"]"; break;
        case 2: match = "namespaces: [\"product-" + number + "-*\"]"; break;
        default:
            match =
                R"({namespaces: [production], resourceRules: [{apiGroups: [batch], apiVersions: ["*"], resources: [jobs], operations: ["*"]}]})";
    }
    return "---\napiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: other-" + number +
           "}\nspec:\n  match: " + (i % 4 == 3 ? match : "{" + match + "}") +
           "\n  rules:\n  - name: limits\n    resources: {limits: [memory]}\n  - name: probes\n    probes: {all: [readinessProbe]}\n";
}

std::vector<policy::PolicyFile> with_others(std::vector<policy::PolicyFile> files, std::size_t policies) {
    std::string text;
    for (std::size_t i = 1; i < policies; ++i) {
        text += other_policy(i);
        // Many small files, as a platform team has them; one large one would be over the bound for a file.
        if (i % 50 == 0 || i + 1 == policies) files.push_back({"others-" + std::to_string(i) + ".yaml", std::exchange(text, {})});
    }
    return files;
}

std::shared_ptr<const policy::PolicySet> compile(const std::vector<policy::PolicyFile>& files) {
    const auto compiled = policy::compile(files, {});
    for (const auto& problem : compiled.problems) std::fprintf(stderr, "bench_judge: %s\n", policy::to_string(problem).c_str());
    return compiled.set;
}

// --- the field lock: what a person may do beside Git, on objects of several sizes --------------------------------------------

constexpr const char* kFieldLock =
    "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: lock\n    lock:\n"
    "      writers: [flux]\n      scope: fields\n      additions: {allow: ['.metadata.annotations[\"team.example.com/*\"]']}\n";

// alice adds an annotation; `object` is JSON with `"annotations":{` in it.
std::string edit_by_a_person(std::string_view group, std::string_view resource, std::string_view kind, const std::string& object) {
    std::string after = object;
    after.insert(after.find("\"annotations\":{") + 15, "\"team.example.com/note\":\"n\",");
    const auto named = [&](std::string_view what, std::string_view name) {
        return "{\"group\":\"" + std::string(group) + "\",\"version\":\"v1\",\"" + std::string(what) + "\":\"" + std::string(name) + "\"}";
    };
    return kube::with_slack(R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":)" +
                            named("kind", kind) + R"(,"resource":)" + named("resource", resource) +
                            R"(,"name":"shop","namespace":"production","operation":"UPDATE","userInfo":{"username":"alice"},"object":)" +
                            after + R"(,"oldObject":)" + object + R"(,"options":{}}})");
}

std::string flux_object(std::string_view version, std::string_view kind, const std::string& declared, const std::string& content) {
    return R"({"apiVersion":")" + std::string(version) + R"(","kind":")" + std::string(kind) +
           R"(","metadata":{"name":"shop","namespace":"production","annotations":{"a":"b"},"managedFields":[{"manager":"kustomize-controller",)"
           R"("operation":"Apply","apiVersion":")" +
           std::string(version) + R"(","fieldsType":"FieldsV1","fieldsV1":{)" + declared + "}}]}," + content + "}";
}

// A map of `count` members, as field set and as content.
std::string large_object(std::string_view version, std::string_view kind, std::string_view field, std::size_t count, std::size_t bytes) {
    std::string declared;
    std::string content;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string key = "key-" + std::to_string(100'000 + i);
        declared += (i == 0 ? "\"f:" : ",\"f:") + key + "\":{}";
        content += (i == 0 ? "\"" : ",\"") + key + "\":\"" + std::string(bytes, 'x') + "\"";
    }
    const std::string name = "\"" + std::string(field) + "\":{";
    return flux_object(version, kind, "\"f:" + std::string(field) + "\":{" + declared + "}", name + content + "}");
}

struct Figure {
    std::string name;
    std::string unit;
    double value;
    std::optional<std::string> goal{};
};

void print_row(const char* what, const Cost& cost, const char* goal) {
    std::printf("%-52s%9.2f us%9.2f us%12.2f   %s\n", what, cost.min_us, cost.median_us, cost.allocations, goal);
}

void print(const Figure& figure) {
    std::printf(R"({"bench":"judge/%s","value":%.3f,"unit":"%s")", figure.name.c_str(), figure.value, figure.unit.c_str());
    if (figure.goal) std::printf(R"(,"goal":"%s")", figure.goal->c_str());
    std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: bench_judge REVIEW.json POLICIES/\n");
        return 2;
    }
    const std::string body = kube::with_slack(read_file(argv[1]));
    const Limits limits;

    simdjson::dom::parser bare_parser;
    const Cost bare = measure([&] { keep(bare_parser.parse(body.data(), body.size(), false).error()); });
    kube::JsonReader json(limits);
    const Cost parse = measure([&] { keep(json.read(body).has_value()); });
    kube::ReviewReader reader(limits);
    const Cost read = measure([&] { keep(reader.read(body).has_value()); });

    const auto files = policy::read_policy_directory(argv[2], limits);
    const auto review = reader.read(body);
    if (!files || files->empty() || !review) {
        std::fprintf(stderr, "bench_judge: cannot read the review %s or the policies in %s\n", argv[1], argv[2]);
        return 2;
    }
    const policy::Context context{.now = SystemClock().now()};
    std::vector<Cost> judging;
    for (const std::size_t policies : {std::size_t{1}, kFewPolicies, kManyPolicies}) {
        const auto set = compile(with_others(*files, policies));
        if (!set) return 2;
        const policy::Verdict verdict = policy::evaluate(*review, *set, context);
        for (const auto& violation : verdict.violations) std::fprintf(stderr, "bench_judge: %s\n", to_string(violation).c_str());
        if (!verdict.allowed || !verdict.violations.empty()) {
            std::fprintf(stderr, "bench_judge: the policies find something, so another path would be measured\n");
            return 1;
        }
        judging.push_back(measure([&] { keep(policy::evaluate(*review, *set, context).allowed); }));
    }
    const double ratio = judging[2].min_us / judging[1].min_us;

    std::printf("%zu bytes, JSON by simdjson for %s; the fastest and the median of %d batches\n\n", body.size(),
                simdjson::get_active_implementation()->name().c_str(), kBatches);
    std::printf("%-52s%12s%12s%12s   %s\n", "WHAT", "MIN", "MEDIAN", "ALLOCATIONS", "GOAL");
    print_row("JSON, simdjson alone", bare, "");
    print_row("JSON, checked (JsonReader)", parse, "<= 12 us");
    print_row("review, read and checked (ReviewReader)", read, "");
    print_row("judged: lock, Pod Security, ten workload rules", judging[0], "<= 8 us, no allocation");
    print_row("judged by 10 policies, 9 for others", judging[1], "");
    print_row("judged by 1,000 policies, 999 for others", judging[2], "");
    std::printf("\na thousand policies cost %.2f times what ten cost (goal < 2)\n\n", ratio);

    // Flux changes something, so this review is recorded, beside its answer.
    const auto set = compile(*files);
    if (!set || !webhook::changes_something(*review)) {
        std::fprintf(stderr, "bench_judge: the review changes nothing, so another path would be measured\n");
        return 1;
    }
    const policy::Verdict verdict = policy::evaluate(*review, *set, context);
    const webhook::Origin origin{"prod-we-1", "fluxgate-0"};
    const audit::Record record = webhook::make_record(*review, verdict, *set, context, origin);
    const Cost notice = measure([&] { keep(webhook::changes_something(*review)); });
    const Cost make = measure([&] { keep(webhook::make_record(*review, verdict, *set, context, origin).changes.size()); });
    const Cost encode = measure([&] { keep(audit::encode(record, limits.record_bytes_max).before.size()); });
    print_row("recorded: that it changes something is noticed", notice, "");
    print_row("recorded: the record is made", make, "");
    print_row("recorded: the record becomes text", encode, "");
    std::printf("\n");

    const auto lock = compile({{"lock.yaml", kFieldLock}});
    if (!lock) return 2;
    std::vector<Cost> locking;
    for (const std::string& edit :
         {edit_by_a_person(review->resource.group, review->resource.resource, review->kind.kind, review->old_object.dump()),
          edit_by_a_person("", "configmaps", "ConfigMap", large_object("v1", "ConfigMap", "data", 1'000, 1'000)),
          edit_by_a_person("example.com", "things", "Thing", large_object("example.com/v1", "Thing", "spec", 500, 20)),
          edit_by_a_person("example.com", "things", "Thing", large_object("example.com/v1", "Thing", "spec", 5'000, 20))}) {
        kube::ReviewReader edits(limits);
        const auto person = edits.read(edit);
        if (!person || !policy::evaluate(*person, *lock, context).allowed) {
            std::fprintf(stderr, "bench_judge: the field lock refuses an allowed addition, so another path would be measured\n");
            return 1;
        }
        locking.push_back(measure([&] { keep(policy::evaluate(*person, *lock, context).allowed); }));
    }
    print_row("field lock: a person's annotation on that object", locking[0], "<= 10 us");
    print_row("field lock: on a ConfigMap of 1 MB", locking[1], "");
    print_row("field lock: on a custom resource of 500 fields", locking[2], "");
    print_row("field lock: on one of 5,000 fields", locking[3], "ten times that");
    std::printf("\n");

    const Figure figures[] = {
        {"field_lock_18k", "us", locking[0].min_us, "<=10"},
        {"field_lock_configmap_1mb", "us", locking[1].min_us},
        {"field_lock_500_fields", "us", locking[2].min_us},
        {"field_lock_ratio_5000_to_500_fields", "ratio", locking[3].min_us / locking[2].min_us, "<15"},
        {"simdjson", "us", bare.min_us},
        {"parse", "us", parse.min_us, "<=12"},
        {"parse_median", "us", parse.median_us},
        {"parse_allocations", "1", parse.allocations, "<=0"},
        {"read_review", "us", read.min_us},
        {"read_review_median", "us", read.median_us},
        {"evaluate", "us", judging[0].min_us, "<=8"},
        {"evaluate_median", "us", judging[0].median_us},
        {"evaluate_allocations", "1", judging[0].allocations, "<=0"},
        {"notice_change", "us", notice.min_us},
        {"make_record", "us", make.min_us},
        {"encode_record", "us", encode.min_us},
        {"evaluate_10_policies", "us", judging[1].min_us},
        {"evaluate_1000_policies", "us", judging[2].min_us},
        {"ratio_1000_to_10_policies", "ratio", ratio, "<2"},
    };
    for (const Figure& figure : figures) print(figure);
    return 0;
}
