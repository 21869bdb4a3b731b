#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

std::string chunked(std::string_view body, std::size_t piece) {
    std::string text = "POST /validate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    while (!body.empty()) {
        const auto part = body.substr(0, piece);
        char size[32];
        std::snprintf(size, sizeof size, "%zx;note=\"x\"\r\n", part.size());
        text += size;
        text += part;
        text += "\r\n";
        body.remove_prefix(part.size());
    }
    return text + "0\r\nDigest: none\r\n\r\n";
}

}  // namespace

TEST_CASE("one connection answers many requests, with and without TLS") {
    for (const bool tls : {true, false}) {
        Running running(echo, [&](ServerOptions& options) { options.tls = tls; });
        Client client = running.client();
        for (int i = 0; i < 50; ++i) {
            const std::string body = "request " + std::to_string(i);
            const auto response = client.exchange("POST", "/validate?timeout=3s", body);
            REQUIRE(response.has_value());
            CHECK(response->status == 200);
            CHECK(response->body == "POST /validate ?timeout=3s " + body);
            CHECK_FALSE(response->close);
        }
        CHECK(running.server->counters().connections_total == 1);
        CHECK(running.server->counters().requests_total == 50);
        CHECK(running.events->size() == 0);
    }
}

TEST_CASE("pipelined requests are answered in order, even in one packet and cut anywhere") {
    Running running;
    const std::string three = post("one") + "GET /two HTTP/1.1\r\nHost: x\r\n\r\n" + chunked("three", 2) + post("four");
    const std::vector<std::string> expected{"POST /validate one", "GET /two ", "POST /validate three", "POST /validate four"};
    SECTION("in one packet") {
        RawClient client(running);
        REQUIRE(client.send(three));
        for (const auto& text : expected) {
            const auto response = client.read();
            REQUIRE(response);
            CHECK(response->body == text);
        }
    }
    SECTION("cut at every byte") {
        for (std::size_t cut = 1; cut < three.size(); cut += 3) {
            RawClient client(running);
            REQUIRE(client.send(three.substr(0, cut)));
            REQUIRE(client.send(three.substr(cut)));
            for (const auto& text : expected) {
                const auto response = client.read();
                REQUIRE(response);
                CHECK(response->body == text);
            }
        }
    }
    SECTION("more than fit the first buffer") {
        RawClient client(running);
        std::string many;
        for (int i = 0; i < 2'000; ++i) many += post(std::to_string(i));
        std::thread sender([&] { client.send(many); });
        int answered = 0;
        for (int i = 0; i < 2'000; ++i) {
            const auto response = client.read();
            if (response && response->body == "POST /validate " + std::to_string(i)) ++answered;
        }
        sender.join();
        CHECK(answered == 2'000);
    }
    CHECK(running.events->size() == 0);
}

TEST_CASE("a broken request gets the status that says why, and the connection closes cleanly") {
    struct Row {
        std::string name;
        std::string request;
        int status;
        std::string code;
    };
    const std::string huge(40'000, 'a');
    const std::vector<Row> rows{
        {"not HTTP at all", "hello there\r\n\r\n", 400, "bad_request"},
        {"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "bad_request"},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"},
        {"a folded field", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n", 400, "bad_request"},
        {"a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "bad_request"},
        {"a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 400, "bad_request"},
        {"a control character in a value", std::string("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"), 400, "bad_request"},
        {"length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"},
        {"chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400, "bad_request"},
        {"gzip as transfer encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400, "bad_request"},
        {"identity as transfer encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n", 400,
         "bad_request"},
        {"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
         "bad_request"},
        {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"},
        {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "bad_request"},
        {"a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", 400, "bad_request"},
        {"a length beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, "bad_request"},
        {"a chunk that is not hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "bad_request"},
        {"a chunk size beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400,
         "bad_request"},
        {"a chunk longer than it says", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400,
         "bad_request"},
        {"an endless chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=" + huge, 400, "bad_request"},
        {"a field larger than the limit", "GET / HTTP/1.1\r\nHost: a\r\nX: " + huge + "\r\n\r\n", 431, "header_too_large"},
        {"a target larger than the limit", "GET /" + huge + " HTTP/1.1\r\nHost: a\r\n\r\n", 431, "header_too_large"},
        {"many fields, together larger than the limit",
         [] {
             std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
             for (int i = 0; i < 2'000; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
             return text + "\r\n";
         }(),
         431, "header_too_large"},
        {"POST without length", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 411, "length_required"},
        {"an unknown expectation", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: miracles\r\n\r\n", 417,
         "expectation_failed"},
        {"a length above the limit", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n", 413, "too_large"},
        {"a chunk above the limit", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1000001\r\n", 413, "too_large"},
    };
    Running running;
    std::size_t refused = 0;
    for (const Row& row : rows) {
        INFO(row.name);
        RawClient client(running);
        client.send(row.request);
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == row.status);
        CHECK(response->body.find("\"code\":\"" + row.code + "\"") != std::string::npos);
        CHECK(response->says_close());
        CHECK(client.closed_cleanly());
        CHECK(running.events->count(Event::Kind::request_refused) == ++refused);
    }
    CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
    CHECK(running.server->counters().body_bytes_in_flight == 0);
    CHECK(running.server->counters().requests_in_flight == 0);
}

TEST_CASE("a header one byte at a time is as good as a header in one piece") {
    Running running(echo, [](ServerOptions& options) { options.tls = false; });
    RawClient client(running);
    for (const char letter : "\r\n" + post("slowly")) REQUIRE(client.send(std::string(1, letter)));
    const auto response = client.read();
    REQUIRE(response);
    CHECK(response->body == "POST /validate slowly");
}

TEST_CASE("a body exactly at the limit passes, one byte more is 413 without reading it") {
    constexpr std::size_t kLimit = 300'000;
    Running running(echo, [](ServerOptions& options) { options.limits.body_bytes_max = kLimit; });
    const std::string whole(kLimit, 'b');
    SECTION("with a length") {
        RawClient client(running);
        REQUIRE(client.send(post(whole)));
        CHECK(client.read()->body == "POST /validate 300000 bytes");
        REQUIRE(client.send(post(whole + "b").substr(0, 200)));
        CHECK(client.read()->status == 413);
        CHECK(client.closed_cleanly());
    }
    SECTION("with chunks") {
        for (const std::size_t piece : {std::size_t{1'000}, std::size_t{70'000}, kLimit}) {
            RawClient client(running);
            REQUIRE(client.send(chunked(whole, piece)));
            const auto response = client.read();
            REQUIRE(response);
            CHECK(response->body == "POST /validate 300000 bytes");
            client.send(chunked(whole + "b", piece));
            const auto refusal = client.read();
            REQUIRE(refusal);
            CHECK(refusal->status == 413);
        }
    }
    SECTION("a client that writes everything before it reads still sees the answer") {
        const std::string large(8u << 20, 'b');
        Client client = running.client();
        for (int i = 0; i < 3; ++i) {
            const auto response = client.exchange("POST", "/validate", large);
            REQUIRE(response.has_value());
            CHECK(response->status == 413);
            CHECK(response->close);
        }
    }
    CHECK(eventually([&] { return running.server->counters().body_bytes_in_flight == 0; }));
}

TEST_CASE("a 16 MiB body arrives unchanged") {
    std::string sent(16u << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>((i * 2'654'435'761u) >> 13);
    std::atomic<bool> same{false};
    std::atomic<bool> padded{false};
    Running running([&](const Request& request, Reply reply) {
        same = request.body == sent;
        const volatile char* end = request.body.data() + request.body.size();
        char sum = 0;
        for (std::size_t i = 0; i < kBodySlack; ++i) sum = static_cast<char>(sum | end[i]);
        padded = sum == 0;
        reply.send({});
    });
    Client client = running.client();
    for (int i = 0; i < 2; ++i) {
        same = padded = false;
        const auto response = client.exchange("POST", "/", sent);
        REQUIRE(response.has_value());
        CHECK(response->status == 200);
        CHECK(same);
        CHECK(padded);
    }
}

TEST_CASE("Expect: 100-continue is answered before the body is sent, and not when the body is refused") {
    Running running;
    RawClient client(running);
    REQUIRE(client.send("POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"));
    CHECK(client.read()->status == 100);
    REQUIRE(client.send("hello"));
    CHECK(client.read()->body == "POST /validate hello");
    REQUIRE(client.send("POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(client.read()->status == 413);
    CHECK(client.closed_cleanly());
}

TEST_CASE("HEAD gets the header of the answer and no body") {
    Running running;
    RawClient client(running);
    client.head_only = true;
    REQUIRE(client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"));
    const auto response = client.read();
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(response->header.find("Content-Length: 8\r\n") != std::string::npos);
    client.head_only = false;
    REQUIRE(client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(client.read()->body == "GET /y ");
}

TEST_CASE("the connection closes when the client asks for it, when it speaks HTTP/1.0 and when the handler says so") {
    Running running([](const Request& request, Reply reply) { reply.send({.status = 204, .close = request.path == "/close"}); });
    for (const std::string_view request : {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
                                           "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /close HTTP/1.1\r\nHost: a\r\n\r\n"}) {
        RawClient client(running);
        REQUIRE(client.send(request));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == 204);
        CHECK(response->says_close());
        CHECK(response->header.find("Content-Length") == std::string::npos);
        CHECK(client.closed_cleanly());
    }
}

TEST_CASE("the target is split into path and query, also in absolute form") {
    Running running;
    RawClient client(running);
    const std::vector<std::pair<std::string, std::string>> rows{
        {"/a/b?c=d?e", "GET /a/b ?c=d?e "}, {"http://host/p?q", "GET /p ?q "}, {"http://host", "GET  "}, {"/?", "GET / "}, {"*", "GET * "},
        {"/%2e%2E", "GET /%2e%2E "}};
    for (const auto& [target, expected] : rows) {
        REQUIRE(client.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->body == expected);
    }
}

TEST_CASE("a client that sends its request and closes its half still gets the answer") {
    for (const bool tls : {true, false}) {
        Running running(echo, [&](ServerOptions& options) { options.tls = tls; });
        RawClient client(running);
        REQUIRE(client.send(post("last words")));
        client.finish_sending();
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->body == "POST /validate last words");
        CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
    }
}

TEST_CASE("uploads beyond the budget of bodies in flight get 503 at once, and it recovers") {
    Running running(echo, [](ServerOptions& options) {
        options.threads = 2;
        options.limits.bodies_in_flight_bytes_max = 1u << 20;
        options.limits.body_bytes_max = 1u << 20;
    });
    const std::string body(600'000, 'x');
    const std::string request = post(body);
    auto first = std::make_unique<RawClient>(running);
    REQUIRE(first->send(std::string_view(request).substr(0, request.size() - 1)));
    REQUIRE(eventually([&] { return running.server->counters().body_bytes_in_flight == body.size() - 1; }));

    RawClient second(running);
    second.send(request);
    const auto refused = second.read();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    CHECK(refused->header.find("Retry-After: 1\r\n") != std::string::npos);
    CHECK(refused->body.find("\"code\":\"overloaded\"") != std::string::npos);
    CHECK(second.closed_cleanly());

    RawClient small(running);
    REQUIRE(small.send(post("a small one still fits")));
    CHECK(small.read()->status == 200);

    SECTION("when the first is done") {
        REQUIRE(first->send("x"));
        CHECK(first->read()->body == "POST /validate 600000 bytes");
    }
    SECTION("when the first goes away") {
        first->reset();
        CHECK(eventually([&] { return running.events->count(Event::Kind::connection_lost) == 1; }));
    }
    REQUIRE(eventually([&] { return running.server->counters().body_bytes_in_flight == 0; }));
    RawClient third(running);
    REQUIRE(third.send(request));
    CHECK(third.read()->status == 200);
}

TEST_CASE("lengths that are only claimed take nothing from the budget") {
    Running running(echo, [](ServerOptions& options) { options.limits.bodies_in_flight_bytes_max = 1u << 20; });
    const std::string body(600'000, 'x');
    std::vector<std::unique_ptr<RawClient>> strangers;
    for (int i = 0; i < 20; ++i) {
        strangers.push_back(std::make_unique<RawClient>(running));
        REQUIRE(strangers.back()->send(post(body).substr(0, 120)));
    }
    REQUIRE(eventually([&] { return running.server->counters().requests_in_flight == 20; }));
    RawClient honest(running);
    REQUIRE(honest.send(post(body)));
    CHECK(honest.read()->status == 200);
}

TEST_CASE("a large answer reaches a client that reads slowly, and is given up for one that never reads") {
    const std::string large(12u << 20, 'z');
    const auto answer_large = [&](const Request&, Reply reply) { reply.send({.body = large}); };
    {
        Running running(answer_large);
        RawClient client(running);
        REQUIRE(client.send(post("x")));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->body == large);
        CHECK(running.events->size() == 0);
    }
    Running running(answer_large, [](ServerOptions& options) { options.limits.write_timeout = 300ms; });
    RawClient idler(running);
    REQUIRE(idler.send(post("x")));
    CHECK(eventually([&] { return running.events->count(Event::Kind::connection_lost) == 1; }));
    CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
    CHECK(running.server->counters().requests_in_flight == 0);
}
