#include "kube/client/credentials.hpp"

#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/kube/client/support.hpp"

using namespace fluxgate;
using namespace fluxgate::kube::client;
using namespace fluxgate::kube::client::testing;

namespace {

ExecPlugin plugin(const std::string& command) {
    ExecPlugin made{};
    made.api_version = "client.authentication.k8s.io/v1";
    made.command = command;
    made.field = "FILE: users[u].user.exec";
    made.timeout = kSoon;
    return made;
}

std::string credential(const std::string& status) {
    return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":)" + status + "}";
}
std::string print(const std::string& text) { return "cat <<'END'\n" + text + "\nEND\n"; }

}  // namespace

TEST_CASE("a token file is read again after a minute and after a refusal, and survives a bad moment") {
    TestFolder folder;
    TestClock clock;
    const std::string file = folder.write("token", "one\n");
    const auto credentials = token_file_credentials(file, {.private_key_pem = "key"}, clock);
    const auto token = [&] { return credentials->identity().value().bearer_token; };
    CHECK(token() == "one");
    CHECK(credentials->identity()->private_key_pem == "key");
    folder.write("token", "  two \n");
    CHECK(token() == "one");
    clock.advance(59s);
    CHECK(token() == "one");
    clock.advance(1s);
    CHECK(token() == "two");
    folder.write("token", "three");
    credentials->refused({.bearer_token = "one", .private_key_pem = "key"});
    CHECK(token() == "two");
    credentials->refused(credentials->identity().value());
    CHECK(token() == "three");
    std::filesystem::remove(file);
    clock.advance(61s);
    CHECK(token() == "three");
    folder.write("token", "");
    clock.advance(61s);
    CHECK(token() == "three");
    folder.write("token", "four");
    clock.advance(61s);
    CHECK(token() == "four");
}

TEST_CASE("a token that cannot be one is refused with its file") {
    TestFolder folder;
    TestClock clock;
    const std::vector<std::string> rows{"", "\n\n", "a b", "a\r\nX-Injected: b", "a\x01", "t\xc3\xb6ken", std::string("a\0b", 3)};
    for (const std::string& text : rows) {
        INFO('"' << text << '"');
        const std::string file = folder.write("token", text);
        const auto identity = token_file_credentials(file, {}, clock)->identity();
        REQUIRE_FALSE(identity.has_value());
        CHECK(identity.error().code == Errc::invalid_argument);
        CHECK(identity.error().where == file);
    }
    CHECK(token_file_credentials(folder.path("none"), {}, clock)->identity().error().code == Errc::io);
    CHECK(token_file_credentials(folder.write("large", std::string(5u << 20, 'x')), {}, clock)->identity().error().code == Errc::too_large);
}

TEST_CASE("a plugin is asked once, and again when its credential ends or is refused") {
    TestFolder folder;
    TestClock clock;
    const std::string count = folder.path("count");
    const auto script = [&](const std::string& token, const std::string& ends) {
        folder.write_script(
            "login", "echo x >> " + count + "\n" + print(credential(R"({"token":")" + token + R"(","expirationTimestamp":)" + ends + "}")));
    };
    script("one", R"("2026-12-05T02:05:00Z")");
    const auto runs = [&] { return std::filesystem::exists(count) ? std::filesystem::file_size(count) / 2 : 0; };
    const auto credentials = exec_credentials(plugin(folder.path("login")), clock);
    CHECK(runs() == 0);
    CHECK(credentials->identity()->bearer_token == "one");
    clock.advance(4min + 49s);
    CHECK(credentials->identity()->bearer_token == "one");
    CHECK(runs() == 1);
    script("two", "null");
    clock.advance(1s);
    CHECK(credentials->identity()->bearer_token == "two");
    clock.advance(24h);
    CHECK(credentials->identity()->bearer_token == "two");
    CHECK(runs() == 2);
    credentials->refused({.bearer_token = "one"});
    CHECK(credentials->identity()->bearer_token == "two");
    CHECK(runs() == 2);
    credentials->refused({.bearer_token = "two"});
    CHECK(credentials->identity()->bearer_token == "two");
    CHECK(runs() == 3);
}

TEST_CASE("a plugin gets its arguments, its environment, no input and a clean set of signals") {
    TestFolder folder;
    TestClock clock;
    folder.write_script("login",
                        "read line && exit 9\n"
                        "[ \"$#\" = 2 ] && [ \"$1\" = 'a b' ] && [ \"$2\" = '$HOME' ] || exit 10\n"
                        "[ \"$LOGIN\" = 'x=y' ] && [ -n \"$PATH\" ] && [ \"$KUBERNETES_EXEC_INFO\" = '{\"kind\"}' ] || exit 11\n" +
                            print(credential(R"({"clientCertificateData":"C","clientKeyData":"K"})")));
    ExecPlugin made = plugin(folder.path("login"));
    made.arguments = {"a b", "$HOME"};
    made.environment = {{"LOGIN", "x=y"}};
    made.exec_info = "{\"kind\"}";
    const auto identity = exec_credentials(made, clock)->identity();
    REQUIRE(identity.has_value());
    CHECK(*identity == Identity{.bearer_token = "", .certificate_chain_pem = "C", .private_key_pem = "K"});
}

TEST_CASE("a plugin that fails is an error with its own words") {
    TestFolder folder;
    TestClock clock;
    struct Row {
        std::string name;
        std::string script;
        Errc code;
        std::string says;
    };
    const std::vector<Row> rows{
        {"it fails", "echo >&2; echo 'no account' >&2; echo 'more' >&2; exit 1\n", Errc::io, "ended with 1: no account; install it"},
        {"it is killed", "kill -9 $$\n", Errc::io, "ended with 137"},
        {"it hangs", "read line; sleep 1000\n", Errc::deadline_exceeded, "did not end within 300 ms"},
        {"its child hangs", "sleep 1000 &\nexit 0\n", Errc::deadline_exceeded, "did not end within 300 ms"},
        {"it closes its outputs and hangs", "exec >&- 2>&-\nsleep 1000\n", Errc::deadline_exceeded, "did not end within 300 ms"},
        {"it says too much", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n", Errc::too_large, "printed more than 4096 bytes"},
        {"it complains too much", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxx >&2; done\n", Errc::too_large,
         "printed more than 4096 bytes"},
        {"it says nothing", "exit 0\n", Errc::invalid_json, "what is not JSON"},
        {"garbage", "echo hello\n", Errc::invalid_json, "what is not JSON"},
        {"something else", "echo '{\"kind\":\"Status\"}'\n", Errc::missing_field, "no ExecCredential"},
        {"another version", "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'\n",
         Errc::unsupported_version, "but the kubeconfig says client.authentication.k8s.io/v1"},
        {"no status", "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\"}'\n", Errc::missing_field,
         "neither status.token nor a client certificate"},
        {"an empty token", print(credential(R"({"token":""})")), Errc::missing_field, "neither status.token nor a client certificate"},
        {"a token of two lines", print(credential(R"({"token":"a\nb"})")), Errc::invalid_argument, "a status.token that cannot be one"},
        {"a certificate without key", print(credential(R"({"clientCertificateData":"C"})")), Errc::missing_field, "only one of"},
        {"an end that is no time", print(credential(R"({"token":"a","expirationTimestamp":"soon"})")), Errc::invalid_argument, "no time"},
        {"an end in the past", print(credential(R"({"token":"a","expirationTimestamp":"2026-12-05T01:59:59Z"})")), Errc::invalid_argument,
         "has ended already"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        ExecPlugin made = plugin(folder.write_script("login", row.script));
        made.timeout = row.code == Errc::deadline_exceeded ? 300ms : kSoon;
        made.output_bytes_max = 4'096;
        made.install_hint = "install it\nlike this";
        const auto identity = exec_credentials(made, clock)->identity();
        REQUIRE_FALSE(identity.has_value());
        CHECK(identity.error().code == row.code);
        CHECK(identity.error().where == "FILE: users[u].user.exec");
        CHECK(identity.error().message.find(row.says) != std::string::npos);
        CHECK(identity.error().message.ends_with("; install it"));
    }
    const auto missing = exec_credentials(plugin("fluxgate-no-such-plugin"), clock)->identity();
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().message.find("fluxgate-no-such-plugin cannot be started: No such file") != std::string::npos);
}

TEST_CASE("a plugin that failed is asked again at the next call") {
    TestFolder folder;
    TestClock clock;
    const auto credentials = exec_credentials(plugin(folder.write_script("login", "exit 1\n")), clock);
    CHECK_FALSE(credentials->identity().has_value());
    folder.write_script("login", print(credential(R"({"token":"a"})")));
    CHECK(credentials->identity()->bearer_token == "a");
}

namespace {

// Asks on a thread of its own, until told to stop.
class Caller {
public:
    explicit Caller(Credentials& credentials)
        : thread_([this, &credentials](const std::stop_token& stop) { answer_ = credentials.identity(stop); }) {}
    void stop() { thread_.request_stop(); }
    Result<Identity> answer() {
        if (thread_.joinable()) thread_.join();
        return answer_;
    }

private:
    Result<Identity> answer_;
    std::jthread thread_;
};

void wait_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (!holds()) {
        REQUIRE(std::chrono::steady_clock::now() < end);
        std::this_thread::yield();
    }
}

bool is_running(const std::string& pid_file) {
    pid_t pid = 0;
    if (!(std::ifstream(pid_file) >> pid)) return false;
    // Who is killed stays a zombie until somebody waits for it; a child of a killed one is waited for by init.
    std::string name;
    std::string state;
    std::ifstream("/proc/" + std::to_string(pid) + "/stat") >> pid >> name >> state;
    return !state.empty() && state != "Z" && state != "X";
}

}  // namespace

TEST_CASE("a plugin that hangs is killed with its children when its caller is stopped") {
    TestFolder folder;
    TestClock clock;
    const std::string pids = folder.path("child");
    const auto credentials = exec_credentials(
        plugin(folder.write_script("login", "sleep 1000 &\necho $! > " + pids + ".new\nmv " + pids + ".new " + pids + "\nwait\n")), clock);
    CHECK_FALSE(credentials->waiting_for());
    Caller caller(*credentials);
    wait_until([&] { return is_running(pids); });
    CHECK(credentials->waiting_for() == "the credential plugin " + folder.path("login"));
    caller.stop();
    const auto answer = caller.answer();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == Errc::peer);
    CHECK(answer.error().message.find("was stopped") != std::string::npos);
    wait_until([&] { return !is_running(pids); });
    CHECK_FALSE(credentials->waiting_for());
}

TEST_CASE("who waits for a plugin that runs for another is stopped alone; stopping that other passes the plugin on") {
    TestFolder folder;
    TestClock clock;
    const std::string runs = folder.path("runs");
    const auto login = [&](const std::string& then) { folder.write_script("login", "echo x >> " + runs + "\n" + then); };
    const auto count = [&] { return std::filesystem::exists(runs) ? std::filesystem::file_size(runs) / 2 : 0; };
    login("sleep 1000\n");
    const auto credentials = exec_credentials(plugin(folder.path("login")), clock);
    Caller first(*credentials);
    wait_until([&] { return count() == 1; });
    Caller second(*credentials);
    Caller third(*credentials);
    second.stop();
    CHECK(second.answer().error().message.find("was stopped") != std::string::npos);
    CHECK(count() == 1);
    login(print(credential(R"({"token":"a"})")));
    first.stop();
    CHECK_FALSE(first.answer().has_value());
    CHECK(third.answer().value().bearer_token == "a");
    CHECK(count() == 2);
}
