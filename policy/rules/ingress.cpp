#include "policy/rules/ingress.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kClassAnnotation = "kubernetes.io/ingress.class";

// Labels of lower-case letters, digits and '-' between dots, as the API server asks of hosts.
bool is_host(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    while (true) {
        const std::size_t dot = text.find('.');
        const std::string_view label = text.substr(0, dot);
        const bool good =
            !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
            std::all_of(label.begin(), label.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
        if (!good) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

std::string_view without_star(std::string_view host) { return host.starts_with("*.") ? host.substr(2) : host; }

// `host` may be a wildcard itself: then everything it claims must be covered, which is so when its suffix is below the pattern's.
bool covers(std::string_view pattern, std::string_view host) {
    if (!pattern.starts_with("*.")) return pattern == host;
    const std::string_view suffix = pattern.substr(1);
    return host.size() > suffix.size() && host.ends_with(suffix) && is_host(without_star(host));
}

// A certificate's wildcard stands for one label.
bool tls_covers(std::string_view tls_host, std::string_view host) {
    if (tls_host == host) return !host.empty();
    if (!tls_host.starts_with("*.")) return false;
    const std::size_t dot = host.find('.');
    return dot != std::string_view::npos && dot > 0 && host.substr(dot) == tls_host.substr(1);
}

// The names that spec.tls covers. A usual Ingress has a handful, which are compared one by one; one made to cost time has a
// hundred thousand, which are sorted first.
class TlsHosts {
public:
    TlsHosts(kube::Json tls, std::size_t hosts_to_find) : tls_(tls) {
        std::size_t names = 0;
        tls_.each_item([&](kube::Json entry) {
            names += entry["hosts"].size();
            any_host_ = any_host_ || (entry.is_object() && entry["hosts"].size() == 0);
        });
        constexpr std::size_t kComparisonsMax = 4'096;
        if (names * hosts_to_find <= kComparisonsMax) return;
        tls_.each_item([&](kube::Json entry) { entry["hosts"].each_item([&](kube::Json name) { sorted_.push_back(name.text()); }); });
        std::sort(sorted_.begin(), sorted_.end());
    }

    bool cover(std::string_view host) const {
        if (any_host_) return true;
        if (sorted_.empty()) return covered_one_by_one(host);
        if (!host.empty() && std::binary_search(sorted_.begin(), sorted_.end(), host)) return true;
        const std::size_t dot = host.find('.');
        if (dot == std::string_view::npos || dot == 0) return false;
        return std::binary_search(sorted_.begin(), sorted_.end(), "*" + std::string(host.substr(dot)));
    }

private:
    bool covered_one_by_one(std::string_view host) const {
        bool found = false;
        tls_.each_item(
            [&](kube::Json entry) { entry["hosts"].each_item([&](kube::Json name) { found = found || tls_covers(name.text(), host); }); });
        return found;
    }

    kube::Json tls_;
    bool any_host_ = false;
    std::vector<std::string_view> sorted_;
};

std::string indexed(std::string_view list, std::size_t index, std::string_view field) {
    std::string path(list);
    kube::append_index(path, index);
    return path.append(field);
}

void judge_hosts(const std::vector<std::string>& hosts, kube::Json spec, Findings& findings) {
    const auto allowed = [&](kube::Json host) {
        return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& pattern) { return covers(pattern, host.text()); });
    };
    const auto add = [&](std::string path, std::string have) {
        findings.add(std::move(path), std::move(have), "a host of " + listed(hosts));
    };

    const kube::Json rules = spec["rules"];
    if (rules.size() == 0) add(".spec.rules", "(no rules), which is every host");
    std::size_t rule_index = 0;
    rules.each_item([&](kube::Json rule) {
        const std::size_t at = rule_index++;
        const kube::Json host = rule["host"];
        if (!allowed(host)) add(indexed(".spec.rules", at, ".host"), is_empty(host) ? "(absent), which is every host" : shown(host));
    });
    std::size_t tls_index = 0;
    spec["tls"].each_item([&](kube::Json entry) {
        const std::size_t at = tls_index++;
        std::size_t host_index = 0;
        entry["hosts"].each_item([&](kube::Json host) {
            const std::size_t host_at = host_index++;
            if (!allowed(host)) add(indexed(indexed(".spec.tls", at, ".hosts"), host_at, ""), shown(host));
        });
    });
}

void judge_tls(kube::Json spec, Findings& findings) {
    const kube::Json tls = spec["tls"];
    if (!tls.is_array() || tls.size() == 0)
        return findings.add(".spec.tls", tls.is_array() ? "(an empty list)" : shown(tls), "TLS for every host");
    const TlsHosts tls_hosts(tls, spec["rules"].size());
    std::size_t index = 0;
    spec["rules"].each_item([&](kube::Json rule) {
        const std::size_t at = index++;
        const kube::Json host = rule["host"];
        if (tls_hosts.cover(host.text())) return;
        findings.add(indexed(".spec.rules", at, ".host"), is_empty(host) ? "(absent), which is every host" : shown(host),
                     "an entry of spec.tls that covers it");
    });
}

void judge_class(const std::vector<std::string>& classes, kube::Json object, Findings& findings) {
    const kube::Json by_field = object["spec"]["ingressClassName"];
    const kube::Json by_annotation = object["metadata"]["annotations"][kClassAnnotation];
    const auto allowed = [&](kube::Json name) { return std::find(classes.begin(), classes.end(), name.text()) != classes.end(); };
    if (!is_empty(by_annotation) && !allowed(by_annotation)) {
        std::string path = ".metadata.annotations";
        kube::append_field(path, kClassAnnotation);
        findings.add(std::move(path), shown(by_annotation), listed(classes));
    }
    if (is_empty(by_field) ? is_empty(by_annotation) : !allowed(by_field))
        findings.add(".spec.ingressClassName", is_empty(by_field) ? "(absent)" : shown(by_field), listed(classes));
}

std::vector<std::string> decode_hosts(Mapping& fields) {
    fields.each("hosts", [&](const kube::Node& item, const std::string& what) {
        if (item.kind() != kube::Node::Kind::string || is_host(without_star(item.text()))) return;
        fields.problems().add(
            Errc::invalid_policy, item.position(),
            fmt::format(
                "{}: {} is no host; expected one such as shop.example.com or \"*.shop.example.com\", in lower case and without port", what,
                shown(item.text())));
    });
    refuse_empty_list(fields, "hosts", "reads as if no host were allowed; leave it out to allow any");
    return fields.strings("hosts");
}

}  // namespace

IngressRule IngressRule::decode(Mapping& fields) {
    IngressRule rule;
    const DemandCheck demands(fields);
    rule.hosts = decode_hosts(fields);
    rule.require_tls = decode_boolean(fields, "requireTLS").value_or(false);
    rule.classes = decode_texts(fields, "classes");
    refuse_empty_list(fields, "classes", "reads as if no class were allowed; leave it out to allow any");
    fields.finish();
    demands.require(!rule.hosts.empty() || rule.require_tls || !rule.classes.empty(),
                    "ingress: demands nothing; give hosts, requireTLS: true or classes");
    return rule;
}

void IngressRule::judge(const kube::Review&, kube::Json object, Findings& findings) const {
    if (!hosts.empty()) judge_hosts(hosts, object["spec"], findings);
    if (require_tls) judge_tls(object["spec"], findings);
    if (!classes.empty()) judge_class(classes, object, findings);
}

bool IngressRule::same_inputs(const kube::Review&, kube::Json before, kube::Json after) const {
    const kube::Json was = before["spec"];
    const kube::Json is = after["spec"];
    return kube::each_pair(was["rules"], is["rules"],
                           [](kube::Json left, kube::Json right) { return kube::equal(left["host"], right["host"]); }) &&
           kube::equal(was["tls"], is["tls"]) && kube::equal(was["ingressClassName"], is["ingressClassName"]) &&
           kube::equal(before["metadata"]["annotations"][kClassAnnotation], after["metadata"]["annotations"][kClassAnnotation]);
}

}  // namespace fluxgate::policy
