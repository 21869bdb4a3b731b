#include "kube/client/credentials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "kube/client/program.hpp"
#include "kube/client/small_file.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube::client {

namespace {

constexpr std::chrono::seconds kTokenFileAge{60};
// A credential that ends while a request is under way would be refused.
constexpr std::chrono::seconds kEndsSoon{10};
constexpr std::size_t kMessageBytesMax = 300;

class FixedCredentials final : public Credentials {
public:
    explicit FixedCredentials(Identity identity) : identity_(std::move(identity)) {}
    Result<Identity> identity(const std::stop_token&) override { return identity_; }
    void refused(const Identity&) override {}

private:
    const Identity identity_;
};

class TokenFileCredentials final : public Credentials {
public:
    TokenFileCredentials(std::string file, Identity certificate, const Clock& clock)
        : file_(std::move(file)), identity_(std::move(certificate)), clock_(clock) {}

    Result<Identity> identity(const std::stop_token&) override {
        std::lock_guard lock(mutex_);
        if (read_at_ && clock_.steady() - *read_at_ < kTokenFileAge) return identity_;
        auto token = read_small_file(file_).and_then([&](const std::string& text) { return bearer_token(text, file_); });
        if (!token && identity_.bearer_token.empty()) return tl::unexpected(token.error());
        if (token) identity_.bearer_token = std::move(*token);
        read_at_ = clock_.steady();
        return identity_;
    }
    void refused(const Identity& used) override {
        std::lock_guard lock(mutex_);
        if (used == identity_) read_at_.reset();
    }

private:
    const std::string file_;
    std::mutex mutex_;
    Identity identity_;
    std::optional<std::chrono::steady_clock::time_point> read_at_;
    const Clock& clock_;
};

std::string first_line(std::string_view text) {
    while (!text.empty() && (text.front() == '\n' || text.front() == '\r' || text.front() == ' ')) text.remove_prefix(1);
    return std::string(text.substr(0, std::min({text.find('\n'), text.find('\r'), kMessageBytesMax})));
}

struct Credential {
    Identity identity{};
    std::optional<WallTime> ends{};
};

class ExecCredentials final : public Credentials {
public:
    ExecCredentials(ExecPlugin plugin, const Clock& clock) : plugin_(std::move(plugin)), clock_(clock) {}

    Result<Identity> identity(const std::stop_token& stop) override {
        std::unique_lock lock(mutex_);
        const std::uint64_t failures = failures_;
        if (!answered_.wait(lock, stop, [this] { return !asking_; })) {
            return fail(Errc::peer, fmt::format("waiting for the credential plugin {} was stopped", plugin_.command), plugin_.field);
        }
        if (credential_ && (!credential_->ends || clock_.now() + kEndsSoon < *credential_->ends)) return credential_->identity;
        if (failures != failures_) return tl::unexpected(failure_);  // the answer that was waited for
        credential_.reset();
        auto made = ask_unlocked(lock, stop);
        if (!made) return tl::unexpected(made.error());
        credential_ = std::move(*made);
        return credential_->identity;
    }
    void refused(const Identity& used) override {
        std::lock_guard lock(mutex_);
        if (credential_ && used == credential_->identity) credential_.reset();
    }
    std::optional<std::string> waiting_for() const override {
        std::lock_guard lock(mutex_);
        if (!asking_) return std::nullopt;
        return fmt::format("the credential plugin {}", plugin_.command);
    }

private:
    // Only one caller at a time; the others wait for what it brings, unless it is stopped.
    Result<Credential> ask_unlocked(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
        asking_ = true;
        lock.unlock();
        const auto answered = [&] {
            lock.lock();
            asking_ = false;
            answered_.notify_all();
        };
        try {
            auto made = ask(stop);
            answered();
            if (!made && !stop.stop_requested()) {
                failure_ = made.error();
                ++failures_;
            }
            return made;
        } catch (...) {  // no memory: the caller's to handle, and the next one's turn
            answered();
            throw;
        }
    }

    tl::unexpected<Error> failed(Errc code, std::string message) const {
        if (!plugin_.install_hint.empty()) message += "; " + first_line(plugin_.install_hint);
        return fail(code, std::move(message), plugin_.field);
    }

    Result<Credential> ask(const std::stop_token& stop) const {
        Program program{};
        program.command = plugin_.command;
        program.arguments = plugin_.arguments;
        program.environment = plugin_.environment;
        program.environment.emplace_back("KUBERNETES_EXEC_INFO", plugin_.exec_info);
        program.timeout = plugin_.timeout;
        program.output_bytes_max = plugin_.output_bytes_max;
        const auto output = run_program(program, stop);
        if (!output) return failed(output.error().code, "the credential plugin " + output.error().message);
        if (output->exit_code != 0) {
            return failed(Errc::io, fmt::format("the credential plugin {} ended with {}: {}", plugin_.command, output->exit_code,
                                                first_line(output->standard_error)));
        }
        return read(output->standard_output);
    }

    Result<Credential> read(const std::string& text) const {
        const auto wrong = [&](Errc code, std::string_view what) {
            return failed(code, fmt::format("the credential plugin {} printed {}", plugin_.command, what));
        };
        JsonReader reader{Limits{}};
        const std::string padded = with_slack(text);
        const auto json = reader.read(std::string_view(padded).substr(0, text.size()));
        if (!json) return wrong(json.error().code, "what is not JSON");
        if ((*json)["kind"].text() != "ExecCredential") return wrong(Errc::missing_field, "no ExecCredential");
        if ((*json)["apiVersion"].text() != plugin_.api_version) {
            return wrong(Errc::unsupported_version,
                         fmt::format("apiVersion \"{}\", but the kubeconfig says {}", (*json)["apiVersion"].text(), plugin_.api_version));
        }
        const Json status = (*json)["status"];
        Credential credential{};
        credential.identity.certificate_chain_pem = status["clientCertificateData"].text();
        credential.identity.private_key_pem = status["clientKeyData"].text();
        if (credential.identity.certificate_chain_pem.empty() != credential.identity.private_key_pem.empty()) {
            return wrong(Errc::missing_field, "only one of status.clientCertificateData and status.clientKeyData");
        }
        if (!status["token"].text().empty()) {
            auto token = bearer_token(status["token"].text(), plugin_.field);
            if (!token) return wrong(token.error().code, "a status.token that cannot be one");
            credential.identity.bearer_token = std::move(*token);
        } else if (credential.identity.private_key_pem.empty()) {
            return wrong(Errc::missing_field, "neither status.token nor a client certificate");
        }
        if (const Json ends = status["expirationTimestamp"]; !ends.absent_or_null()) {
            const auto time = parse_rfc3339(ends.text());
            if (!time) return wrong(time.error().code, "a status.expirationTimestamp that is no time");
            if (*time <= clock_.now()) return wrong(Errc::invalid_argument, "a credential that has ended already");
            credential.ends = *time;
        }
        return credential;
    }

    const ExecPlugin plugin_;
    const Clock& clock_;
    mutable std::mutex mutex_;  // never held while the plugin runs
    std::condition_variable_any answered_;
    bool asking_ = false;
    std::optional<Credential> credential_;
    std::uint64_t failures_ = 0;
    Error failure_;  // the last
};

}  // namespace

Result<std::string> bearer_token(std::string_view text, const std::string& where) {
    const auto is_space = [](char letter) { return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (text.empty()) return fail(Errc::invalid_argument, "the token is empty", where);
    if (!std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; })) {
        return fail(Errc::invalid_argument, "the token holds characters that no token has", where);
    }
    return std::string(text);
}

std::unique_ptr<Credentials> fixed_credentials(Identity identity) { return std::make_unique<FixedCredentials>(std::move(identity)); }

std::unique_ptr<Credentials> token_file_credentials(std::string file, Identity certificate, const Clock& clock) {
    return std::make_unique<TokenFileCredentials>(std::move(file), std::move(certificate), clock);
}

std::unique_ptr<Credentials> exec_credentials(ExecPlugin plugin, const Clock& clock) {
    return std::make_unique<ExecCredentials>(std::move(plugin), clock);
}

}  // namespace fluxgate::kube::client
