#include "policy/rules/image_pattern.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace fluxgate::policy {

namespace {

constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::string_view kDefaultFolder = "library";

// The first component and what is behind it.
std::pair<std::string_view, std::string_view> split(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return {text, {}};
    return {text.substr(0, slash), text.substr(slash + 1)};
}

// Without tag and digest; empty if what should be one cannot be.
std::string_view repository_of(std::string_view image) {
    if (const std::size_t at = image.find('@'); at != std::string_view::npos) {
        if (image.find('/', at) != std::string_view::npos) return {};
        image = image.substr(0, at);
    }
    const std::size_t slash = image.rfind('/');
    const std::size_t colon = image.find(':', slash == std::string_view::npos ? 0 : slash);
    return image.substr(0, colon);
}

bool is_registry(std::string_view component) { return component.find_first_of(".:") != std::string_view::npos || component == "localhost"; }

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view usual_name(std::string_view registry) { return registry == "index.docker.io" ? kDefaultRegistry : registry; }

Error refuse(std::string_view pattern, std::string why) {
    return Error{
        .code = Errc::invalid_argument, .message = "\"" + std::string(pattern.substr(0, 80)) + "\" " + std::move(why), .where = {}};
}

}  // namespace

Result<ImagePattern> ImagePattern::compile(std::string_view pattern) {
    if (repository_of(pattern) != pattern) {
        return tl::unexpected(refuse(pattern, "has a tag or a digest; give registry and repository, which covers every tag and digest"));
    }
    auto [registry, path] = split(pattern);
    if (path.empty() || !is_registry(registry)) {
        if (registry.find('*') != std::string_view::npos) {
            return tl::unexpected(refuse(pattern, "begins with a star that may be a registry or a repository; write the registry"));
        }
        registry = kDefaultRegistry;
        path = pattern;
    }
    std::string host(registry);
    std::transform(host.begin(), host.end(), host.begin(), to_lower);
    host = usual_name(host);
    auto registry_glob = Glob::compile(host);
    if (!registry_glob) return tl::unexpected(registry_glob.error());

    std::vector<Glob> components;
    for (std::string_view rest = path;;) {
        const bool last = rest.find('/') == std::string_view::npos;
        const auto [component, behind] = split(rest);
        if (component.empty()) return tl::unexpected(refuse(pattern, "has an empty component; expected registry/repository"));
        auto glob = Glob::compile(component);
        if (!glob) return tl::unexpected(glob.error());
        components.push_back(std::move(*glob));
        if (last) break;
        rest = behind;
    }
    if (components.size() == 1 && host == kDefaultRegistry) components.insert(components.begin(), *Glob::compile(kDefaultFolder));
    return ImagePattern(std::move(*registry_glob), std::move(components));
}

bool ImagePattern::matches(std::string_view image) const {
    const std::string_view repository = repository_of(image);
    if (repository.empty()) return false;
    auto [registry, path] = split(repository);
    if (path.empty() || !is_registry(registry)) {
        registry = kDefaultRegistry;
        path = repository;
    }
    std::array<char, 260> lower{};  // a DNS name and a port
    if (registry.size() > lower.size()) return false;
    std::transform(registry.begin(), registry.end(), lower.begin(), to_lower);
    const std::string_view host = usual_name({lower.data(), registry.size()});
    if (!registry_.matches(host)) return false;

    auto wanted = path_.begin();
    if (host == kDefaultRegistry && path.find('/') == std::string_view::npos) {
        if (!wanted->matches(kDefaultFolder)) return false;
        ++wanted;
    }
    for (std::string_view rest = path; wanted != path_.end(); ++wanted) {
        const bool last = rest.find('/') == std::string_view::npos;
        const auto [component, behind] = split(rest);
        if (component.empty() || !wanted->matches(component)) return false;
        if (last) return wanted + 1 == path_.end();
        rest = behind;
    }
    return false;
}

}  // namespace fluxgate::policy
