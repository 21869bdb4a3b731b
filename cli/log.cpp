#include "cli/log.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kQueueLines = 8'192;
constexpr int kLinesPerSecondMax = 10;

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return spdlog::level::debug;
        case LogLevel::info: return spdlog::level::info;
        case LogLevel::warn: return spdlog::level::warn;
        case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warn: return "warning";
        case LogLevel::error: return "error";
    }
    return "info";
}

}  // namespace

struct Log::Impl {
    bool json;
    LogLevel least;
    std::shared_ptr<spdlog::async_logger> logger;
    // Behind the logger, so that it ends first: its thread writes what waits and is joined before the sink goes.
    std::shared_ptr<spdlog::details::thread_pool> pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);

    struct Flood {
        std::int64_t second = 0;
        int lines = 0;
        std::uint64_t left_out = 0;
    };
    std::mutex mutex;
    std::map<std::string, Flood, std::less<>> floods;  // by event: a handful of fixed texts

    // How many lines of this event were left out before this one; nullopt: leave this one out too.
    std::optional<std::uint64_t> admit(std::string_view event) {
        const auto second = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
        std::lock_guard lock(mutex);
        Flood& flood = floods.try_emplace(std::string(event)).first->second;
        if (flood.second != second) {
            flood.second = second;
            flood.lines = 0;
        }
        if (flood.lines >= kLinesPerSecondMax) {
            ++flood.left_out;
            return std::nullopt;
        }
        ++flood.lines;
        return std::exchange(flood.left_out, 0);
    }

    void write(LogLevel level, std::string_view event, const std::initializer_list<Field>& fields, std::uint64_t left_out) {
        std::string line;
        if (json) {
            nlohmann::ordered_json object{{"time", format_rfc3339(SystemClock().now())}, {"level", name_of(level)}, {"event", event}};
            for (const auto& [key, value] : fields) object[std::string(key)] = value;
            if (left_out > 0) object["leftOut"] = left_out;
            line = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
        } else {
            line = format_rfc3339(SystemClock().now()).substr(11, 12) + " ";
            line.append(name_of(level)).append("  ").append(event);
            for (const auto& [key, value] : fields) line.append("  ").append(key).append("=").append(value);
            if (left_out > 0) line.append("  leftOut=").append(std::to_string(left_out));
            for (char& c : line) {
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
            }
        }
        logger->log(to_spdlog(level), line);
    }
};

Log::Log(LogLevel least, LogFormat format) : impl_(std::make_unique<Impl>()) {
    impl_->json = format == LogFormat::json || (format == LogFormat::automatic && ::isatty(STDERR_FILENO) != 1);
    impl_->least = least;
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    impl_->logger =
        std::make_shared<spdlog::async_logger>("fluxgate", std::move(sink), impl_->pool, spdlog::async_overflow_policy::overrun_oldest);
    impl_->logger->set_pattern("%v");
    impl_->logger->set_level(to_spdlog(least));
}

// What waits is written first.
Log::~Log() = default;

bool Log::wants(LogLevel level) const { return level >= impl_->least; }

void Log::write(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
    if (wants(level)) impl_->write(level, event, fields, 0);
}

void Log::write_limited(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
    if (!wants(level)) return;
    if (const auto left_out = impl_->admit(event)) impl_->write(level, event, fields, *left_out);
}

void Log::flush() { impl_->logger->flush(); }

}  // namespace fluxgate::cli
