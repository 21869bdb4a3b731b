#include "base/clock.hpp"

#include <cstdint>

#include <fmt/chrono.h>

namespace fluxgate {

namespace {

// Takes the parts of a time off the front of a text, and remembers whether all of them were there.
class TimeReader {
public:
    explicit TimeReader(std::string_view text) : text_(text) {}

    // Exactly that many digits, and a value within the bounds.
    int number(std::size_t digits, int min, int max) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (text_.empty() || text_.front() < '0' || text_.front() > '9') return fail_with(min);
            value = value * 10 + (text_.front() - '0');
            text_.remove_prefix(1);
        }
        return value >= min && value <= max ? value : fail_with(min);
    }
    void expect(char c) {
        if (next_is(c)) return;
        good_ = false;
    }
    bool next_is(char c) {
        if (text_.empty() || (text_.front() != c && text_.front() != static_cast<char>(c | 0x20))) return false;
        text_.remove_prefix(1);
        return true;
    }
    // Digits behind the point; below a microsecond they are dropped.
    std::chrono::microseconds fraction() {
        std::int64_t micros = 0;
        std::int64_t unit = 100'000;
        if (text_.empty() || text_.front() < '0' || text_.front() > '9') good_ = false;
        while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
            micros += (text_.front() - '0') * unit;
            unit /= 10;
            text_.remove_prefix(1);
        }
        return std::chrono::microseconds(micros);
    }
    bool at_the_end() const { return good_ && text_.empty(); }

private:
    int fail_with(int value) {
        good_ = false;
        return value;
    }
    std::string_view text_;
    bool good_ = true;
};

}  // namespace

WallTime SystemClock::now() const { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }

std::chrono::steady_clock::time_point SystemClock::steady() const { return std::chrono::steady_clock::now(); }

std::string format_rfc3339(WallTime time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto micros = (time - seconds).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
    TimeReader reader(text);
    const int year = reader.number(4, 1970, 9999);
    reader.expect('-');
    const int month = reader.number(2, 1, 12);
    reader.expect('-');
    const int day = reader.number(2, 1, 31);
    reader.expect('T');
    const int hour = reader.number(2, 0, 23);
    reader.expect(':');
    const int minute = reader.number(2, 0, 59);
    reader.expect(':');
    const int second = reader.number(2, 0, 59);
    const auto micros = reader.next_is('.') ? reader.fraction() : std::chrono::microseconds(0);
    int offset_minutes = 0;
    if (!reader.next_is('Z')) {
        const int sign = reader.next_is('-') ? -1 : 1;
        if (sign == 1) reader.expect('+');
        offset_minutes = reader.number(2, 0, 23) * 60;
        reader.expect(':');
        offset_minutes = sign * (offset_minutes + reader.number(2, 0, 59));
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!reader.at_the_end() || !date.ok()) {
        return fail(Errc::invalid_argument,
                    "\"" + std::string(text.substr(0, 40)) + "\" is no time; expected one with a zone, such as 2027-03-31T00:00:00Z");
    }
    return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute - offset_minutes) +
           std::chrono::seconds(second) + micros;
}

}  // namespace fluxgate
