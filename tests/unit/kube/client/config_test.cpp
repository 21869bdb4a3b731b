#include "kube/client/config.hpp"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/base64.hpp"
#include "certs/authority.hpp"
#include "tests/unit/kube/client/support.hpp"

using namespace fluxgate;
using namespace fluxgate::kube::client;
using namespace fluxgate::kube::client::testing;

namespace {

const certs::KeyPair& pair_of(const std::string& name) {
    static const certs::KeyPair first = certs::make_authority("first", SystemClock().now()).value();
    static const certs::KeyPair second = certs::make_authority("second", SystemClock().now()).value();
    return name == "first" ? first : second;
}
std::string data(const std::string& text) { return base64(text); }

// A kubeconfig of one context; both parts are lines of flow YAML.
std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\ncurrent-context: c\npreferences: {}\ncontexts:\n- name: c\n  context: {cluster: k, user: u, "
           "namespace: flux-system}\n"
           "clusters:\n- name: k\n  cluster: {" +
           cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n";
}
const std::string kServer = "server: 'https://api.example.org:6443'";

}  // namespace

TEST_CASE("a kubeconfig names the server, the trust and the account") {
    TestFolder folder;
    TestClock clock;
    const auto& pair = pair_of("first");
    folder.write("ca.crt", pair.certificate_pem);
    folder.write("u.crt", pair.certificate_pem);
    folder.write("u.key", pair.private_key_pem);
    folder.write("token", "from-file\n");
    const std::string certificate =
        "client-certificate-data: " + data(pair.certificate_pem) + ", client-key-data: " + data(pair.private_key_pem);
    struct Row {
        std::string name;
        std::string cluster;
        std::string user;
        std::string host;
        std::uint16_t port;
        std::string path;
        std::string server_name;
        bool trusts_own;
        std::string token;
        bool certificate;
    };
    const std::vector<Row> rows{
        {"the trust of the machine, nobody", kServer, "", "api.example.org", 6443, "", "", false, "", false},
        {"no port", "server: 'https://api.example.org/'", "", "api.example.org", 443, "", "", false, "", false},
        {"an address of version 6 and a path", "server: 'https://[fd00::1]:6443/k8s/clusters/c-1/'", "", "fd00::1", 6443,
         "/k8s/clusters/c-1", "", false, "", false},
        {"version 6 without port", "server: 'https://[fd00::1]'", "", "fd00::1", 443, "", "", false, "", false},
        {"another name in the certificate", kServer + ", tls-server-name: kubernetes", "", "api.example.org", 6443, "", "kubernetes", false,
         "", false},
        {"kubectl proxy", "server: 'http://127.0.0.1:8001'", "", "127.0.0.1", 8001, "", "", false, "", false},
        {"the CA in a file beside it", kServer + ", certificate-authority: ca.crt", "token: abc", "api.example.org", 6443, "", "", true,
         "abc", false},
        {"the CA in the file itself", kServer + ", certificate-authority-data: " + data(pair.certificate_pem), "token: abc",
         "api.example.org", 6443, "", "", true, "abc", false},
        {"data win over files, as in client-go",
         kServer + ", certificate-authority: none.crt, certificate-authority-data: " + data(pair.certificate_pem), "", "api.example.org",
         6443, "", "", true, "", false},
        {"a client certificate", kServer, certificate, "api.example.org", 6443, "", "", false, "", true},
        {"a client certificate in files", kServer, "client-certificate: u.crt, client-key: u.key", "api.example.org", 6443, "", "", false,
         "", true},
        {"a certificate and a token", kServer, certificate + ", token: abc", "api.example.org", 6443, "", "", false, "abc", true},
        {"a token in a file", kServer, "tokenFile: token", "api.example.org", 6443, "", "", false, "from-file", false},
        {"a token file wins over a token, as in client-go", kServer, "tokenFile: token, token: abc", "api.example.org", 6443, "", "", false,
         "from-file", false},
        {"switches that are off", kServer + ", insecure-skip-tls-verify: false, proxy-url: ''", "as: '', as-groups: []", "api.example.org",
         6443, "", "", false, "", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto config = read_kubeconfig(folder.write("config", kubeconfig(row.cluster, row.user)), "", clock);
        REQUIRE(config.has_value());
        CHECK(config->host == row.host);
        CHECK(config->port == row.port);
        CHECK(config->path_prefix == row.path);
        CHECK(config->server_name == row.server_name);
        CHECK(config->tls == (row.port != 8001));
        CHECK(config->ca_pem == (row.trusts_own ? pair.certificate_pem : ""));
        CHECK(config->namespace_name == "flux-system");
        CHECK(config->source == folder.path("config") + ", context c");
        const auto identity = config->credentials->identity();
        REQUIRE(identity.has_value());
        CHECK(identity->bearer_token == row.token);
        CHECK(identity->certificate_chain_pem == (row.certificate ? pair.certificate_pem : ""));
        CHECK(identity->private_key_pem == (row.certificate ? pair.private_key_pem : ""));
    }
}

TEST_CASE("a plugin of a kubeconfig runs as the file says") {
    TestFolder folder;
    TestClock clock;
    folder.write_script(
        "login",
        "[ \"$1\" = get-token ] && [ \"$MODE\" = msi ] || exit 1\n"
        "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"%s\"}}' "
        "\"$(printf %s \"$KUBERNETES_EXEC_INFO\" | tr -d '\"{}' | tr ':,' '__' | tr -d '/ ')\"\n");
    struct Row {
        std::string name;
        std::string more;
        std::string token;
    };
    const std::vector<Row> rows{
        {"without the cluster", "interactiveMode: Never",
         "apiVersion_client.authentication.k8s.iov1_kind_ExecCredential_spec_interactive_false"},
        {"with the cluster", "interactiveMode: IfAvailable, provideClusterInfo: true",
         "apiVersion_client.authentication.k8s.iov1_kind_ExecCredential_spec_cluster_server_https_api.example.org_6443_interactive_false"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string user =
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [get-token], env: [{name: MODE, value: msi}], " +
            row.more + "}";
        const auto config = read_kubeconfig(folder.write("config", kubeconfig(kServer, user)), "", clock);
        REQUIRE(config.has_value());
        const auto identity = config->credentials->identity();
        REQUIRE(identity.has_value());
        CHECK(identity->bearer_token == row.token);
    }
}

TEST_CASE("what a kubeconfig may not say is refused with the file and the field") {
    TestFolder folder;
    TestClock clock;
    const auto& pair = pair_of("first");
    const std::string exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: kubelogin, interactiveMode: ";
    struct Row {
        std::string name;
        std::string cluster;
        std::string user;
        std::string field;
        Errc code;
        std::string says;
    };
    const std::string k = "clusters[k].cluster";
    const std::string u = "users[u].user";
    const std::vector<Row> rows{
        {"no check of the certificate", kServer + ", insecure-skip-tls-verify: true", "", k + ".insecure-skip-tls-verify",
         Errc::not_implemented, "anybody could answer"},
        {"the same as a text", kServer + ", insecure-skip-tls-verify: 'true'", "", k + ".insecure-skip-tls-verify", Errc::not_implemented,
         ""},
        {"a proxy", kServer + ", proxy-url: 'http://p:3128'", "", k + ".proxy-url", Errc::not_implemented, ""},
        {"no server", "x: z", "", k + ".server", Errc::missing_field, "is missing"},
        {"a server that is a number", "server: 1", "", k + ".server", Errc::wrong_type, "a string is expected"},
        {"a server without scheme", "server: api.example.org", "", k + ".server", Errc::invalid_argument, "is not https://HOST"},
        {"a server of another scheme", "server: 'unix:///x'", "", k + ".server", Errc::invalid_argument, ""},
        {"a server without host", "server: 'https://:6443'", "", k + ".server", Errc::invalid_argument, ""},
        {"a server with an account", "server: 'https://a:b@host'", "", k + ".server", Errc::invalid_argument, ""},
        {"a port that is none", "server: 'https://host:99999'", "", k + ".server", Errc::invalid_argument, ""},
        {"an empty port", "server: 'https://host:'", "", k + ".server", Errc::invalid_argument, ""},
        {"version 6 without brackets", "server: 'https://fd00::1:6443'", "", k + ".server", Errc::invalid_argument, ""},
        {"a bracket that is not closed", "server: 'https://[fd00::1:6443'", "", k + ".server", Errc::invalid_argument, ""},
        {"a header in the server", "server: \"https://host/a\\r\\nb\"", "", k + ".server", Errc::invalid_argument, ""},
        {"a query", "server: 'https://host/?a=b'", "", k + ".server", Errc::invalid_argument, ""},
        {"no TLS to another machine", "server: 'http://api.example.org'", "", k + ".server", Errc::invalid_argument,
         "for this machine only"},
        {"a CA that is not there", kServer + ", certificate-authority: none.crt", "", k + ".certificate-authority", Errc::io, "none.crt"},
        {"a CA that is not base64", kServer + ", certificate-authority-data: '%'", "", k + ".certificate-authority-data",
         Errc::invalid_argument, "not base64"},
        {"a CA that is no certificate", kServer + ", certificate-authority-data: " + data("x"), "", k + ".certificate-authority",
         Errc::invalid_certificate, "not readable PEM"},
        {"a certificate without key", kServer, "client-certificate-data: " + data(pair.certificate_pem), u + ".client-key",
         Errc::missing_field, "the other half"},
        {"a key without certificate", kServer, "client-key-data: " + data(pair.private_key_pem), u + ".client-certificate",
         Errc::missing_field, ""},
        {"the key of another certificate", kServer,
         "client-certificate-data: " + data(pair.certificate_pem) + ", client-key-data: " + data(pair_of("second").private_key_pem),
         u + ".client-certificate", Errc::invalid_certificate, "does not belong"},
        {"a user name", kServer, "username: admin", u + ".username", Errc::not_implemented, "no passwords"},
        {"a password", kServer, "password: secret", u + ".password", Errc::not_implemented, "no passwords"},
        {"an auth provider", kServer, "auth-provider: {name: azure}", u + ".auth-provider", Errc::not_implemented, "kubelogin"},
        {"impersonation", kServer, "as: admin", u + ".as", Errc::not_implemented, "impersonating"},
        {"impersonated groups", kServer, "as-groups: [a]", u + ".as-groups", Errc::not_implemented, ""},
        {"an impersonated uid", kServer, "as-uid: a", u + ".as-uid", Errc::not_implemented, ""},
        {"impersonated extras", kServer, "as-user-extra: {a: [b]}", u + ".as-user-extra", Errc::not_implemented, ""},
        {"a token with a header in it", kServer, "token: \"a\\r\\nb\"", u + ".token", Errc::invalid_argument, ""},
        {"a token that is a number", kServer, "token: 1", u + ".token", Errc::wrong_type, ""},
        {"a plugin beside a token", kServer, "token: a, " + exec + "Never}", u + ".exec", Errc::contradictory, ""},
        {"a plugin without command", kServer, "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}",
         u + ".exec.command", Errc::missing_field, ""},
        {"a plugin without version", kServer, "exec: {command: a}", u + ".exec.apiVersion", Errc::missing_field, ""},
        {"a plugin of an old version", kServer, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: a}",
         u + ".exec.apiVersion", Errc::unsupported_version, "v1 or v1beta1"},
        {"a plugin that needs a person", kServer, exec + "Always}", u + ".exec.interactiveMode", Errc::not_implemented, "needs a person"},
        {"a plugin of v1 without mode", kServer, "exec: {apiVersion: client.authentication.k8s.io/v1, command: a}",
         u + ".exec.interactiveMode", Errc::missing_field, ""},
        {"a plugin of an unknown mode", kServer, exec + "Sometimes}", u + ".exec.interactiveMode", Errc::invalid_argument, ""},
        {"an argument that is a number", kServer, exec + "Never, args: [a, 1]}", u + ".exec.args[1]", Errc::wrong_type, ""},
        {"a variable without value", kServer, exec + "Never, env: [{name: a}]}", u + ".exec.env[0]", Errc::missing_field, ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string file = folder.write("config", kubeconfig(row.cluster, row.user));
        const auto config = read_kubeconfig(file, "", clock);
        REQUIRE_FALSE(config.has_value());
        CHECK(config.error().where == file + ": " + row.field);
        CHECK(config.error().code == row.code);
        CHECK(config.error().message.find(row.says) != std::string::npos);
        CHECK(config.error().message.find("secret") == std::string::npos);
    }
    const std::string beta = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: a}";
    CHECK(read_kubeconfig(folder.write("config", kubeconfig(kServer, beta)), "", clock).has_value());
}

TEST_CASE("a server that carries a secret is refused without repeating it") {
    for (const std::string server : {"https://robot:SECRET@host", "robot:SECRET@host", "https://a@SECRET@host:6443/",
                                     "https://host/?token=SECRET", "https://host/#SECRET", "robot@host:SECRET/x"}) {
        INFO(server);
        TestFolder folder;
        const TestClock clock;
        const std::string file = folder.write(
            "config",
            "{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: k, user: u}}], clusters: [{name: "
            "k, cluster: {server: '" +
                server + "'}}], users: [{name: u, user: {}}]}");
        const auto config = read_kubeconfig(file, "", clock);
        REQUIRE_FALSE(config.has_value());
        CHECK(config.error().code == Errc::invalid_argument);
        CHECK(to_string(config.error()).find("clusters[k].cluster.server: is not https://HOST") != std::string::npos);
        CHECK(to_string(config.error()).find("SECRET") == std::string::npos);
    }
}

TEST_CASE("what is no regular file is refused at once") {
    TestFolder folder;
    const TestClock clock;
    REQUIRE(::mkfifo(folder.path("pipe").c_str(), 0600) == 0);
    for (const std::string& file : {folder.path("pipe"), folder.path(""), std::string("/dev/zero")}) {
        INFO(file);
        const auto config = read_kubeconfig(file, "", clock);
        REQUIRE_FALSE(config.has_value());
        CHECK(config.error() == Error{Errc::io, "is no regular file", file});
        CHECK(token_file_credentials(file, {}, clock)->identity().error().message == "is no regular file");
    }
}

TEST_CASE("a kubeconfig without what its context names is refused") {
    TestFolder folder;
    TestClock clock;
    struct Row {
        std::string name;
        std::string text;
        std::string context;
        std::string where;  // behind the file
        Errc code;
    };
    const std::string good = kubeconfig(kServer, "token: a");
    const std::string contexts = "contexts: [{name: c, context: {cluster: k, user: u}}]\n";
    const std::vector<Row> rows{
        {"another context", good, "other", ": contexts[other]", Errc::missing_field},
        {"no current context", contexts, "", ": current-context", Errc::missing_field},
        {"no contexts", "current-context: c\n", "", ": contexts[c]", Errc::missing_field},
        {"no cluster of that name", "current-context: c\n" + contexts, "", ": clusters[k]", Errc::missing_field},
        {"no user of that name", contexts + "clusters: [{name: k, cluster: {}}]\n", "c", ": users[u]", Errc::missing_field},
        {"a cluster twice", contexts + "clusters: [{name: k, cluster: {}}, {name: k, cluster: {}}]\n", "c", ": clusters[k]",
         Errc::contradictory},
        {"a cluster that is a list", contexts + "clusters: [{name: k, cluster: []}]\n", "c", ": clusters[k]", Errc::wrong_type},
        {"a context without user", "contexts: [{name: c, context: {cluster: k}}]\n", "c", ": contexts[c].context.user",
         Errc::missing_field},
        {"not YAML", "a: [\n", "", ":2:1", Errc::invalid_yaml},
        {"a key twice", "a: 1\na: 2\n", "", ":2:1", Errc::duplicate_key},
        {"nothing", "", "", "", Errc::invalid_argument},
        {"two documents", good + "---\n" + good, "", "", Errc::invalid_argument},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string file = folder.write("config", row.text);
        const auto config = read_kubeconfig(file, row.context, clock);
        REQUIRE_FALSE(config.has_value());
        CHECK(config.error().where == file + row.where);
        CHECK(config.error().code == row.code);
    }
    const auto missing = read_kubeconfig(folder.path("none"), "", clock);
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error() == Error{Errc::io, "cannot be read: No such file or directory", folder.path("none")});
    CHECK(read_kubeconfig(folder.write("config", good), "c", clock).has_value());
}

TEST_CASE("a Pod finds its API server, its account and its namespace") {
    TestFolder folder;
    TestClock clock;
    const std::string ca = pair_of("first").certificate_pem;
    struct Row {
        std::string name;
        std::string host;
        std::string port;
        std::string ca;
        std::string token;
        std::optional<Errc> code;
    };
    const std::vector<Row> rows{
        {"all there", "10.0.0.1", "443", ca, "t\n", std::nullopt},
        {"a name, as on AKS", "x.hcp.westeurope.azmk8s.io", "443", ca, "t", std::nullopt},
        {"no host", "", "443", ca, "t", Errc::invalid_argument},
        {"no port", "10.0.0.1", "", ca, "t", Errc::invalid_argument},
        {"a port that is none", "10.0.0.1", "https", ca, "t", Errc::invalid_argument},
        {"no CA", "10.0.0.1", "443", "", "t", Errc::invalid_certificate},
        {"an empty token", "10.0.0.1", "443", ca, "", Errc::invalid_argument},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        folder.write("ca.crt", row.ca);
        folder.write("token", row.token);
        folder.write("namespace", "fluxgate-system\n");
        PodEnvironment environment{};
        environment.host = row.host;
        environment.port = row.port;
        environment.folder = folder.path("");
        const auto config = in_cluster_config(environment, clock);
        REQUIRE(config.has_value() == !row.code.has_value());
        if (!config) {
            CHECK(config.error().code == *row.code);
            continue;
        }
        CHECK(config->host == row.host);
        CHECK(config->port == 443);
        CHECK(config->ca_pem == ca);
        CHECK(config->namespace_name == "fluxgate-system");
        CHECK(config->credentials->identity()->bearer_token == "t");
    }
}
