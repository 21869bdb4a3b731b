#pragma once

// The operator's log on standard error: JSON lines off a terminal, text on one. Names, counts and verdicts, never object
// contents or secrets. Writing never blocks whoever logs: lines go through a bounded queue to one thread, and under
// pressure the oldest waiting lines are dropped. Not the audit log.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fluxgate::cli {

enum class LogFormat { automatic, json, text };
enum class LogLevel { debug, info, warn, error };

// Any thread may log.
class Log {
public:
    using Field = std::pair<std::string_view, std::string>;

    Log(LogLevel least, LogFormat format);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // `event` is a short sentence that stays the same: what machines search for.
    void write(LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});
    // At most ten lines of that event in a second; the next line after a flood says how many were left out.
    void write_limited(LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});
    bool wants(LogLevel level) const;
    void flush();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fluxgate::cli
