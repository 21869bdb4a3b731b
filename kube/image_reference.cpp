#include "kube/image_reference.hpp"

#include <algorithm>

namespace fluxgate::kube {

namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubLegacy = "index.docker.io";
constexpr std::string_view kLibrary = "library";
constexpr std::size_t kRepositoryBytesMax = 255;
constexpr std::size_t kTagBytesMax = 128;
constexpr std::size_t kDigestHexMin = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
bool is_lower_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_host(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) { return to_lower(a) == to_lower(b); });
}

// f(component) for each part between separators, while it holds.
template <class F>
bool all_parts(std::string_view text, char separator, F&& good) {
    while (true) {
        const std::size_t end = text.find(separator);
        if (!good(text.substr(0, end))) return false;
        if (end == std::string_view::npos) return true;
        text.remove_prefix(end + 1);
    }
}

bool is_host_label(std::string_view label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// host[:port], the host a name, an IPv4 address or an IPv6 address in brackets.
bool is_registry(std::string_view text) {
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return false;
        host = text.substr(1, end - 1);
        if (host.empty() || !std::all_of(host.begin(), host.end(), [](char c) { return is_lower_hex(to_lower(c)) || c == ':'; }))
            return false;
        port = text.substr(end + 1);
        has_port = !port.empty();
        if (has_port && port.front() != ':') return false;
        if (has_port) port.remove_prefix(1);
    } else {
        const std::size_t colon = text.find(':');
        has_port = colon != std::string_view::npos;
        host = text.substr(0, colon);
        if (has_port) port = text.substr(colon + 1);
        if (!all_parts(host, '.', is_host_label)) return false;
    }
    return !has_port || (!port.empty() && std::all_of(port.begin(), port.end(), is_digit));
}

bool names_registry(std::string_view component) {
    return component.find('.') != std::string_view::npos || component.find(':') != std::string_view::npos || component == "localhost";
}

// Runs of lower-case letters and digits, between them one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
    std::size_t i = 0;
    const auto skip = [&](auto&& good) {
        const std::size_t start = i;
        while (i < text.size() && good(text[i])) ++i;
        return i - start;
    };
    const auto is_name = [](char c) { return is_lower(c) || is_digit(c); };
    while (true) {
        if (skip(is_name) == 0) return false;
        if (i == text.size()) return true;
        if (text[i] == '.')
            ++i;
        else if (skip([](char c) { return c == '-'; }) == 0) {
            const std::size_t underscores = skip([](char c) { return c == '_'; });
            if (underscores == 0 || underscores > 2) return false;
        }
    }
}

bool is_path(std::string_view text) { return all_parts(text, '/', is_path_component); }

bool is_tag(std::string_view text) {
    const auto is_word = [](char c) { return is_alphanumeric(c) || c == '_'; };
    return !text.empty() && text.size() <= kTagBytesMax && is_word(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_digest(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view algorithm = text.substr(0, colon);
    const std::string_view hex = text.substr(colon + 1);
    if (algorithm == "sha256" && hex.size() != 64) return false;
    if (algorithm == "sha512" && hex.size() != 128) return false;
    const auto is_algorithm_part = [](std::string_view part) {
        return !part.empty() && !is_digit(part.front()) && std::all_of(part.begin(), part.end(), is_alphanumeric);
    };
    // The parts of an algorithm's name are separated by any one of "+._-".
    std::string_view rest = algorithm;
    while (true) {
        const std::size_t end = rest.find_first_of("+._-");
        if (!is_algorithm_part(rest.substr(0, end))) return false;
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return hex.size() >= kDigestHexMin && std::all_of(hex.begin(), hex.end(), is_lower_hex);
}

// What people write that is no image, before the grammar is asked.
const char* plain_mistake(std::string_view text) {
    if (text.empty()) return "is empty";
    if (text.find("${") != std::string_view::npos || text.find("$(") != std::string_view::npos || text.find("{{") != std::string_view::npos)
        return "has a variable that nothing replaced";
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; })) return "has a space";
    if (text.find("://") != std::string_view::npos) return "is a URL; leave out what stands before the registry";
    return nullptr;
}

}  // namespace

Result<ImageReference> ImageReference::parse(std::string_view text) {
    if (const char* mistake = plain_mistake(text)) return fail(Errc::invalid_argument, mistake);

    ImageReference image;
    std::string_view rest = text;
    if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
        image.digest = rest.substr(at + 1);
        if (!is_digest(image.digest))
            return fail(Errc::invalid_argument, "has a digest that is none (sha256: and 64 hexadecimal digits in lower case)");
        rest = rest.substr(0, at);
    }
    image.registry = kDockerHub;
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos && names_registry(rest.substr(0, slash))) {
        const std::string_view registry = rest.substr(0, slash);
        if (!is_registry(registry)) return fail(Errc::invalid_argument, "has a registry that is no host name");
        if (!same_host(registry, kDockerHubLegacy)) image.registry = registry;
        rest.remove_prefix(slash + 1);
    }
    const std::size_t last = rest.find_last_of('/') + 1;  // 0 if there is no slash
    if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos && colon >= last) {
        image.tag = rest.substr(colon + 1);
        if (!is_tag(image.tag)) return fail(Errc::invalid_argument, "has a tag that is none");
        rest = rest.substr(0, colon);
    }
    image.repository = rest;
    if (std::any_of(rest.begin(), rest.end(), is_upper)) return fail(Errc::invalid_argument, "has capitals in the name of the repository");
    if (rest.size() > kRepositoryBytesMax) return fail(Errc::invalid_argument, "has a repository of more than 255 characters");
    if (!is_path(rest)) return fail(Errc::invalid_argument, "has a repository that is no name of one");
    image.in_library = same_host(image.registry, kDockerHub) && rest.find('/') == std::string_view::npos;
    // Docker takes 64 hexadecimal digits for the id of a local image.
    if (image.in_library && rest.size() == 64 && std::all_of(rest.begin(), rest.end(), is_lower_hex))
        return fail(Errc::invalid_argument, "is an id of a local image, not a name");
    return image;
}

std::string ImageReference::full_name() const {
    std::string name(registry);
    name += '/';
    if (in_library) name.append(kLibrary).append("/");
    name += repository;
    return name;
}

Result<ImagePrefix> ImagePrefix::parse(std::string_view text) {
    ImagePrefix prefix;
    prefix.text_ = text;
    const std::size_t slash = text.find('/');
    std::string_view host = text.substr(0, slash);
    if (host.starts_with("*.")) {
        prefix.any_label_ = true;
        host.remove_prefix(2);
    }
    if (host.find('*') != std::string_view::npos)
        return fail(Errc::invalid_argument, "only the first label of the registry may be *, as in *.azurecr.io");
    if (!prefix.any_label_ && !names_registry(host))
        return fail(Errc::invalid_argument,
                    "does not begin with a registry such as myacr.azurecr.io; images of Docker Hub are below docker.io");
    if (!is_registry(host)) return fail(Errc::invalid_argument, "has a registry that is no host name");
    if (slash != std::string_view::npos) {
        const std::string_view path = text.substr(slash + 1);
        if (path.find_first_of(":@") != std::string_view::npos)
            return fail(Errc::invalid_argument, "must be a registry with or without a path, without tag and digest");
        if (!is_path(path))
            return fail(Errc::invalid_argument, "has a path that is no name of a repository (no slash at the end, no capitals)");
        prefix.path_ = path;
    }
    prefix.host_.resize(host.size());
    std::transform(host.begin(), host.end(), prefix.host_.begin(), to_lower);
    if (!prefix.any_label_ && prefix.host_ == kDockerHubLegacy) prefix.host_ = kDockerHub;
    return prefix;
}

bool ImagePrefix::covers(const ImageReference& image) const {
    std::string_view host = image.registry;
    if (any_label_) {
        const std::size_t dot = host.find('.');
        if (dot == std::string_view::npos || dot == 0) return false;
        host.remove_prefix(dot + 1);
    }
    if (!same_host(host, host_)) return false;

    const auto is_at_or_below = [](std::string_view repository, std::string_view path) {
        return repository.starts_with(path) && (repository.size() == path.size() || repository[path.size()] == '/');
    };
    if (path_.empty() || !image.in_library) return path_.empty() || is_at_or_below(image.repository, path_);
    std::string_view path = path_;
    if (path == kLibrary) return true;
    if (!path.starts_with(kLibrary) || path[kLibrary.size()] != '/') return false;
    path.remove_prefix(kLibrary.size() + 1);
    return is_at_or_below(image.repository, path);
}

}  // namespace fluxgate::kube
