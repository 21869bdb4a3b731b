#include "kube/client/config.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/base64.hpp"
#include "http/tls_context.hpp"
#include "kube/client/small_file.hpp"
#include "kube/json.hpp"
#include "kube/manifest_object.hpp"

namespace fluxgate::kube::client {

namespace {

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

bool is_loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// The parts of "https://[::1]:6443/prefix".
struct ServerUrl {
    bool tls = true;
    std::string host{};
    std::uint16_t port = 443;
    std::string path{};
};

std::optional<ServerUrl> parse_server(std::string_view text) {
    ServerUrl url{};
    if (text.starts_with("https://")) {
        text.remove_prefix(8);
    } else if (text.starts_with("http://")) {
        text.remove_prefix(7);
        url.tls = false;
        url.port = 80;
    } else {
        return std::nullopt;
    }
    const auto is_odd = [](char letter) { return letter <= 0x20 || letter >= 0x7f || letter == '?' || letter == '#' || letter == '@'; };
    if (std::any_of(text.begin(), text.end(), is_odd)) return std::nullopt;
    const std::size_t slash = std::min(text.find('/'), text.size());
    std::string_view authority = text.substr(0, slash);
    url.path = text.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
    std::size_t colon = authority.rfind(':');
    if (authority.starts_with('[')) {
        const std::size_t bracket = authority.find(']');
        if (bracket == std::string_view::npos) return std::nullopt;
        url.host = authority.substr(1, bracket - 1);
        if (bracket + 1 == authority.size()) colon = std::string_view::npos;
        if (colon != std::string_view::npos && colon != bracket + 1) return std::nullopt;
    } else {
        url.host = authority.substr(0, std::min(colon, authority.size()));
    }
    if (url.host.empty() || (url.host.find(':') != std::string::npos && !authority.starts_with('['))) return std::nullopt;
    if (colon != std::string_view::npos) {
        const auto port = port_of(authority.substr(colon + 1));
        if (!port) return std::nullopt;
        url.port = *port;
    }
    return url;
}

// What may be a password or a token is not repeated.
std::string describe_bad_server(std::string_view text) {
    constexpr std::string_view kExpected = "is not https://HOST[:PORT][/PATH]";
    if (text.find_first_of("@?#") != std::string_view::npos) return fmt::format("{}: no user, password or query may be in it", kExpected);
    return fmt::format("\"{}\" {}", text, kExpected);
}

// A mapping of the file with its name: looks members up, and says where they stand when they are wrong.
class Section {
public:
    Section(const std::string& file, std::string field, Json json) : file_(file), field_(std::move(field)), json_(json) {}

    Json json() const { return json_; }
    std::string where(std::string_view member = {}) const {
        return member.empty() ? fmt::format("{}: {}", file_, field_) : fmt::format("{}: {}.{}", file_, field_, member);
    }
    tl::unexpected<Error> wrong(Errc code, std::string_view member, std::string message) const {
        return fail(code, std::move(message), where(member));
    }
    bool has(std::string_view member) const { return !json_[member].absent_or_null(); }
    Section section(std::string_view member) const { return {file_, fmt::format("{}.{}", field_, member), json_[member]}; }

    // "" when it is not there.
    Result<std::string> text(std::string_view member) const {
        const Json value = json_[member];
        if (value.absent_or_null()) return std::string();
        if (!value.is_string()) return wrong(Errc::wrong_type, member, fmt::format("is {}; a string is expected", value.type_name()));
        return std::string(value.text());
    }
    Result<std::string> required(std::string_view member) const {
        auto value = text(member);
        if (value && value->empty()) return wrong(Errc::missing_field, member, "is missing");
        return value;
    }
    // What `NAME-data` holds in base64, or what the file NAME holds; "" when neither is there. As in client-go the data win.
    Result<std::string> contents(const std::string& name) const {
        const std::string data_name = name + "-data";
        auto data = text(data_name);
        if (!data) return data;
        if (!data->empty()) {
            data->erase(std::remove_if(data->begin(), data->end(), [](char letter) { return letter == '\n' || letter == '\r'; }),
                        data->end());
            auto decoded = from_base64(*data);
            if (!decoded) return wrong(Errc::invalid_argument, data_name, "is not base64");
            return *decoded;
        }
        const auto path = text(name);
        if (!path || path->empty()) return path;
        auto read = read_small_file(beside(*path));
        if (!read) return wrong(read.error().code, name, to_string(read.error()));
        return read;
    }
    // A path of the file: relative to its folder.
    std::string beside(const std::string& path) const { return (std::filesystem::path(file_).parent_path() / path).string(); }

    // A field that would change what a call means: better refused than passed over.
    Result<void> refuse(std::string_view member, std::string_view why) const {
        const Json value = json_[member];
        const bool set = !value.absent_or_null() && value.boolean() != false && value.string() != std::string_view{} &&
                         !((value.is_array() || value.is_object()) && value.size() == 0);
        if (set) return wrong(Errc::not_implemented, member, std::string(why));
        return {};
    }

private:
    const std::string& file_;
    std::string field_;
    Json json_;
};

struct Refusal {
    std::string_view member;
    std::string_view why;
};

constexpr Refusal kClusterRefusals[] = {
    {"insecure-skip-tls-verify", "is refused: without the check of the certificate anybody could answer; give certificate-authority"},
    {"proxy-url", "is not supported: Fluxgate connects to the API server itself"},
};
constexpr std::string_view kNoImpersonation = "is not supported: give the account itself its rights instead of impersonating another";
constexpr Refusal kUserRefusals[] = {
    {"username", "is refused: Kubernetes has had no passwords since 1.19; use a token, a client certificate or an exec plugin"},
    {"password", "is refused: Kubernetes has had no passwords since 1.19; use a token, a client certificate or an exec plugin"},
    {"auth-provider", "is refused: Kubernetes has had none since 1.26; use an exec plugin (on AKS: kubelogin convert-kubeconfig)"},
    {"as", kNoImpersonation},
    {"as-uid", kNoImpersonation},
    {"as-groups", kNoImpersonation},
    {"as-user-extra", kNoImpersonation},
};

template <std::size_t n>
Result<void> refuse_all(const Section& section, const Refusal (&refusals)[n]) {
    for (const Refusal& refusal : refusals) {
        if (auto fine = section.refuse(refusal.member, refusal.why); !fine) return fine;
    }
    return {};
}

// clusters[NAME].cluster and the like.
Result<Section> find_named(const std::string& file, Json root, std::string_view list, std::string_view member, std::string_view name) {
    Json found;
    int count = 0;
    root[list].each_item([&](Json item) {
        if (item["name"].text() != name) return;
        found = item[member];
        ++count;
    });
    const std::string field = fmt::format("{}[{}]", list, name);
    const std::string where = fmt::format("{}: {}", file, field);
    if (count == 0) return fail(Errc::missing_field, "is not in the file", where);
    if (count > 1) return fail(Errc::contradictory, "is in the file more than once", where);
    if (!found.is_object()) return fail(Errc::wrong_type, fmt::format("has no mapping named {}", member), where);
    return Section(file, fmt::format("{}.{}", field, member), found);
}

Result<void> read_cluster(const Section& cluster, ClientConfig& config) {
    if (auto fine = refuse_all(cluster, kClusterRefusals); !fine) return fine;
    const auto server = cluster.required("server");
    if (!server) return tl::unexpected(server.error());
    auto url = parse_server(*server);
    if (!url) return cluster.wrong(Errc::invalid_argument, "server", describe_bad_server(*server));
    if (!url->tls && !is_loopback(url->host)) {
        return cluster.wrong(Errc::invalid_argument, "server", "http:// is accepted for this machine only (kubectl proxy); use https://");
    }
    auto name = cluster.text("tls-server-name");
    if (!name) return tl::unexpected(name.error());
    auto authority = cluster.contents("certificate-authority");
    if (!authority) return tl::unexpected(authority.error());
    config.tls = url->tls;
    config.host = std::move(url->host);
    config.port = url->port;
    config.path_prefix = std::move(url->path);
    config.server_name = std::move(*name);
    config.ca_pem = std::move(*authority);
    return {};
}

// What the plugin is told; https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
Result<std::string> exec_info(const Section& exec, const Section& cluster, const std::string& api_version) {
    nlohmann::json info{{"apiVersion", api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
    if (exec.json()["provideClusterInfo"].is_true()) {
        auto& about = info["spec"]["cluster"];
        about["server"] = cluster.json()["server"].text();
        if (cluster.has("tls-server-name")) about["tls-server-name"] = cluster.json()["tls-server-name"].text();
        const auto authority = cluster.contents("certificate-authority");
        if (!authority) return tl::unexpected(authority.error());
        if (!authority->empty()) about["certificate-authority-data"] = base64(*authority);
    }
    return info.dump();
}

Result<void> read_exec_words(const Section& exec, ExecPlugin& plugin) {
    Result<void> fine;
    std::size_t index = 0;
    exec.json()["args"].each_item([&](Json word) {
        if (!word.is_string() && fine) fine = exec.wrong(Errc::wrong_type, fmt::format("args[{}]", index), "is no string");
        plugin.arguments.emplace_back(word.text());
        ++index;
    });
    index = 0;
    exec.json()["env"].each_item([&](Json entry) {
        const bool usable = !entry["name"].text().empty() && entry["value"].is_string();
        if (!usable && fine) fine = exec.wrong(Errc::missing_field, fmt::format("env[{}]", index), "needs a name and a value");
        plugin.environment.emplace_back(entry["name"].text(), entry["value"].text());
        ++index;
    });
    return fine;
}

Result<ExecPlugin> read_exec(const Section& exec, const Section& cluster) {
    ExecPlugin plugin{};
    plugin.field = exec.where();
    auto version = exec.required("apiVersion");
    if (!version) return tl::unexpected(version.error());
    if (*version != "client.authentication.k8s.io/v1" && *version != "client.authentication.k8s.io/v1beta1") {
        return exec.wrong(Errc::unsupported_version, "apiVersion",
                          fmt::format("\"{}\" is not supported; use client.authentication.k8s.io/v1 or v1beta1", *version));
    }
    plugin.api_version = *version;
    auto mode = exec.text("interactiveMode");
    if (!mode) return tl::unexpected(mode.error());
    if (mode->empty() && version->ends_with("/v1")) return exec.wrong(Errc::missing_field, "interactiveMode", "is missing; v1 asks for it");
    if (*mode == "Always") {
        return exec.wrong(Errc::not_implemented, "interactiveMode",
                          "Always needs a person at a terminal; use a login without one (on AKS: "
                          "kubelogin -l workloadidentity, msi or azurecli)");
    }
    if (!mode->empty() && *mode != "Never" && *mode != "IfAvailable") {
        return exec.wrong(Errc::invalid_argument, "interactiveMode", fmt::format("\"{}\" is not Never, IfAvailable or Always", *mode));
    }
    auto command = exec.required("command");
    if (!command) return tl::unexpected(command.error());
    plugin.command = command->find('/') == std::string::npos ? *command : exec.beside(*command);
    if (auto fine = read_exec_words(exec, plugin); !fine) return tl::unexpected(fine.error());
    auto hint = exec.text("installHint");
    if (!hint) return tl::unexpected(hint.error());
    plugin.install_hint = std::move(*hint);
    auto info = exec_info(exec, cluster, *version);
    if (!info) return tl::unexpected(info.error());
    plugin.exec_info = std::move(*info);
    return plugin;
}

Result<std::unique_ptr<Credentials>> read_user(const Section& user, const Section& cluster, Identity& certificate, const Clock& clock) {
    if (auto fine = refuse_all(user, kUserRefusals); !fine) return tl::unexpected(fine.error());
    auto chain = user.contents("client-certificate");
    if (!chain) return tl::unexpected(chain.error());
    auto key = user.contents("client-key");
    if (!key) return tl::unexpected(key.error());
    if (chain->empty() != key->empty()) {
        return user.wrong(Errc::missing_field, chain->empty() ? "client-certificate" : "client-key", "is missing: the other half is there");
    }
    certificate.certificate_chain_pem = std::move(*chain);
    certificate.private_key_pem = std::move(*key);
    auto token = user.text("token");
    if (!token) return tl::unexpected(token.error());
    auto token_file = user.text("tokenFile");
    if (!token_file) return tl::unexpected(token_file.error());
    if (user.has("exec")) {
        if (!token->empty() || !token_file->empty() || !certificate.private_key_pem.empty()) {
            return user.wrong(Errc::contradictory, "exec", "stands beside a token or a certificate; keep one of them");
        }
        auto plugin = read_exec(user.section("exec"), cluster);
        if (!plugin) return tl::unexpected(plugin.error());
        return exec_credentials(std::move(*plugin), clock);
    }
    if (!token_file->empty()) return token_file_credentials(user.beside(*token_file), certificate, clock);
    Identity identity = certificate;
    if (!token->empty()) {
        auto checked = bearer_token(*token, user.where("token"));
        if (!checked) return tl::unexpected(checked.error());
        identity.bearer_token = std::move(*checked);
    }
    return fixed_credentials(std::move(identity));
}

// OpenSSL says now what it would say at the first call.
Result<void> check_certificates(const Section& cluster, const Section& user, const ClientConfig& config, const Identity& certificate) {
    http::ClientTrust trust{};
    trust.ca_pem = config.ca_pem;
    trust.system_roots = config.ca_pem.empty();
    if (auto made = http::TlsContext::for_client(trust); !made) {
        return cluster.wrong(made.error().code, "certificate-authority", made.error().message);
    }
    trust.identity = {certificate.certificate_chain_pem, certificate.private_key_pem};
    if (auto made = http::TlsContext::for_client(trust); !made)
        return user.wrong(made.error().code, "client-certificate", made.error().message);
    return {};
}

Result<ManifestObject> read_yaml(const std::string& file, const std::string& text) {
    std::vector<ManifestObject> objects;
    ManifestReader reader{Limits{}};
    const auto problem = reader.read(text, 1, [&](ManifestObject&& object) { objects.push_back(std::move(object)); });
    if (problem) {
        return fail(problem->code, problem->message, fmt::format("{}:{}:{}", file, problem->position.line, problem->position.column));
    }
    if (objects.size() != 1) return fail(Errc::invalid_argument, "is no kubeconfig: one document is expected", file);
    return std::move(objects.front());
}

std::string text_of(const char* variable) {
    const char* value = std::getenv(variable);
    return value == nullptr ? "" : value;
}

}  // namespace

PodEnvironment PodEnvironment::of_this_process() {
    PodEnvironment environment{};
    environment.host = text_of("KUBERNETES_SERVICE_HOST");
    environment.port = text_of("KUBERNETES_SERVICE_PORT");
    return environment;
}

Result<ClientConfig> in_cluster_config(const PodEnvironment& environment, const Clock& clock) {
    if (environment.host.empty() || environment.port.empty()) {
        return fail(Errc::invalid_argument,
                    "this is no Pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set); give --kubeconfig");
    }
    const auto port = port_of(environment.port);
    if (!port) return fail(Errc::invalid_argument, fmt::format("\"{}\" is no port", environment.port), "KUBERNETES_SERVICE_PORT");
    auto authority = read_small_file(environment.folder + "/ca.crt");
    if (!authority) return tl::unexpected(authority.error());
    if (auto made = http::TlsContext::for_client(*authority); !made) {
        return fail(made.error().code, made.error().message, environment.folder + "/ca.crt");
    }
    ClientConfig config{};
    config.host = environment.host;
    config.port = *port;
    config.ca_pem = std::move(*authority);
    config.source = "in cluster";
    config.credentials = token_file_credentials(environment.folder + "/token", Identity{}, clock);
    if (auto identity = config.credentials->identity(); !identity) return tl::unexpected(identity.error());
    // Absent for accounts that are mounted by hand; nobody but the caller knows whether that matters.
    config.namespace_name = read_small_file(environment.folder + "/namespace").value_or("");
    while (config.namespace_name.ends_with('\n')) config.namespace_name.pop_back();
    return config;
}

Result<ClientConfig> read_kubeconfig(const std::string& file, const std::string& context_name, const Clock& clock) {
    const auto text = read_small_file(file);
    if (!text) return tl::unexpected(text.error());
    const auto object = read_yaml(file, *text);
    if (!object) return tl::unexpected(object.error());
    JsonReader reader{Limits{}};
    const auto root = reader.read(object->json);
    if (!root) return fail(root.error().code, root.error().message, file);
    const std::string name = context_name.empty() ? std::string((*root)["current-context"].text()) : context_name;
    if (name.empty()) return fail(Errc::missing_field, "is missing; name the context to use", file + ": current-context");
    const auto context = find_named(file, *root, "contexts", "context", name);
    if (!context) return tl::unexpected(context.error());
    const auto cluster_name = context->required("cluster");
    if (!cluster_name) return tl::unexpected(cluster_name.error());
    const auto user_name = context->required("user");
    if (!user_name) return tl::unexpected(user_name.error());
    auto namespace_name = context->text("namespace");
    if (!namespace_name) return tl::unexpected(namespace_name.error());
    const auto cluster = find_named(file, *root, "clusters", "cluster", *cluster_name);
    if (!cluster) return tl::unexpected(cluster.error());
    const auto user = find_named(file, *root, "users", "user", *user_name);
    if (!user) return tl::unexpected(user.error());

    ClientConfig config{};
    config.source = fmt::format("{}, context {}", file, name);
    config.namespace_name = std::move(*namespace_name);
    if (auto fine = read_cluster(*cluster, config); !fine) return tl::unexpected(fine.error());
    Identity certificate{};
    auto credentials = read_user(*user, *cluster, certificate, clock);
    if (!credentials) return tl::unexpected(credentials.error());
    if (auto fine = check_certificates(*cluster, *user, config, certificate); !fine) return tl::unexpected(fine.error());
    config.credentials = std::move(*credentials);
    return config;
}

}  // namespace fluxgate::kube::client
