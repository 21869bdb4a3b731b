#include "kube/client/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/stop_event.hpp"

namespace fluxgate::kube::client {

namespace {

std::string describe(int error) { return std::system_category().message(error); }

class Pipe {
public:
    Pipe() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) ends_ = {-1, -1};
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    bool open() const { return ends_[0] >= 0; }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    void close_reader() { close_end(0); }
    void close_writer() { close_end(1); }

private:
    void close_end(std::size_t end) {
        if (ends_[end] >= 0) ::close(ends_[end]);
        ends_[end] = -1;
    }
    std::array<int, 2> ends_{-1, -1};
};

// What posix_spawn(3) needs, freed again.
class SpawnPlan {
public:
    SpawnPlan(const Pipe& output, const Pipe& error) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions_, output.writer(), STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, error.writer(), STDERR_FILENO);
        ::posix_spawnattr_init(&attributes_);
        // Our threads block and ignore signals that a plugin must see.
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    // 0 or errno.
    int spawn(pid_t& child, const Program& program) {
        std::vector<std::string> texts;
        for (const auto& [name, value] : program.environment) texts.push_back(fmt::format("{}={}", name, value));
        std::vector<char*> environment;
        for (std::string& text : texts) environment.push_back(text.data());
        for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
            if (!is_set(program, *entry)) environment.push_back(*entry);
        }
        environment.push_back(nullptr);
        std::string command = program.command;
        std::vector<std::string> words = program.arguments;
        std::vector<char*> arguments{command.data()};
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        return ::posix_spawnp(&child, command.c_str(), &actions_, &attributes_, arguments.data(), environment.data());
    }

private:
    static bool is_set(const Program& program, std::string_view entry) {
        for (const auto& [name, value] : program.environment) {
            if (entry.starts_with(name + "=")) return true;
        }
        return false;
    }
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

// One read. False: this output has ended.
bool take(int descriptor, std::string& into) {
    std::array<char, 4'096> chunk;  // NOLINT: written before it is read
    const ssize_t got = ::read(descriptor, chunk.data(), chunk.size());
    if (got > 0) into.append(chunk.data(), static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
}

// Both outputs and the program until they end; the first thing that is wrong, if any. `ended` becomes readable when the program is over.
std::optional<Error> collect(Pipe& output, Pipe& error, int ended, const Program& program, const std::stop_token& stop,
                             ProgramOutput& into) {
    const StopEvent stopped(stop);
    const auto deadline = std::chrono::steady_clock::now() + program.timeout;
    while (output.reader() >= 0 || error.reader() >= 0 || ended >= 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return Error{Errc::deadline_exceeded, fmt::format("{} did not end within {} ms", program.command, program.timeout.count()), ""};
        }
        if (stop.stop_requested()) return Error{Errc::peer, fmt::format("{} was stopped before it ended", program.command), ""};
        std::array<pollfd, 4> polls{
            pollfd{.fd = output.reader(), .events = POLLIN, .revents = 0}, pollfd{.fd = error.reader(), .events = POLLIN, .revents = 0},
            pollfd{.fd = ended, .events = POLLIN, .revents = 0}, pollfd{.fd = stopped.descriptor(), .events = POLLIN, .revents = 0}};
        if (::poll(polls.data(), polls.size(), static_cast<int>(left.count())) <= 0) continue;
        if (polls[0].revents != 0 && !take(output.reader(), into.standard_output)) output.close_reader();
        if (polls[1].revents != 0 && !take(error.reader(), into.standard_error)) error.close_reader();
        if (polls[2].revents != 0) ended = -1;
        if (into.standard_output.size() > program.output_bytes_max || into.standard_error.size() > program.output_bytes_max) {
            return Error{Errc::too_large, fmt::format("{} printed more than {} bytes", program.command, program.output_bytes_max), ""};
        }
    }
    return std::nullopt;
}

}  // namespace

Result<ProgramOutput> run_program(const Program& program, const std::stop_token& stop) {
    Pipe output;
    Pipe error;
    if (!output.open() || !error.open()) return fail(Errc::io, fmt::format("{} cannot be started: {}", program.command, describe(errno)));
    pid_t child = 0;
    if (const int failed = SpawnPlan(output, error).spawn(child, program); failed != 0) {
        return fail(Errc::io, fmt::format("{} cannot be started: {}", program.command, describe(failed)));
    }
    output.close_writer();
    error.close_writer();
    ProgramOutput into;
    // glibc 2.36 declares pidfd_open without extern "C".
    const int ended = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
    const auto problem = collect(output, error, ended, program, stop, into);
    if (ended >= 0) ::close(ended);
    if (problem) ::kill(-child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (problem) return tl::unexpected(*problem);
    into.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return into;
}

}  // namespace fluxgate::kube::client
