// The yardstick of `make bench`: the same server, TLS and HTTP as Fluxgate's, the same JSON parser, and nothing else: the
// body is parsed, its uid echoed, the answer is always yes. What Fluxgate is slower than this is what judging costs.
//
//   bare_server CERT KEY PORT     serves until it is killed
//   bare_server --make-certs DIR  writes ca.crt, tls.crt and tls.key for 127.0.0.1

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <simdjson.h>

#include "base/clock.hpp"
#include "certs/authority.hpp"
#include "http/server.hpp"

namespace {

using namespace fluxgate;

std::string read_file(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

int make_certs(const std::string& directory) {
    const auto now = SystemClock().now();
    const auto authority = certs::make_authority("bench CA", now);
    if (!authority) return 2;
    const auto server = certs::issue_server_certificate(
        *authority, {.common_name = "localhost", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}}, now);
    if (!server) return 2;
    std::ofstream(directory + "/ca.crt") << authority->certificate_pem;
    std::ofstream(directory + "/tls.crt") << server->certificate_pem;
    std::ofstream(directory + "/tls.key") << server->private_key_pem;
    return 0;
}

void answer(const http::Request& request, http::Reply reply) {
    thread_local simdjson::dom::parser parser;
    std::string_view uid;
    simdjson::dom::element document;
    if (parser.parse(request.body.data(), request.body.size(), false).get(document) != simdjson::SUCCESS ||
        document["request"]["uid"].get(uid) != simdjson::SUCCESS) {
        reply.send({.status = 400, .body = "{}"});
        return;
    }
    std::string body = R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":")";
    body.append(uid).append(R"(","allowed":true}})");
    reply.send({.status = 200, .body = std::move(body)});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "--make-certs") return make_certs(argv[2]);
    if (argc != 4) return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    http::ServerOptions options;
    options.port = static_cast<std::uint16_t>(std::atoi(argv[3]));
    auto server = http::Server::start(std::move(options), {read_file(argv[1]), read_file(argv[2])}, answer);
    if (!server) {
        std::fprintf(stderr, "%s\n", to_string(server.error()).c_str());
        return 2;
    }
    int signal = 0;
    sigwait(&signals, &signal);
    return 0;
}
