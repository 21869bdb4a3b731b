#include "kube/quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace fluxgate::kube {

namespace {

__extension__ using Unsigned = unsigned __int128;
constexpr Unsigned kMax = ~Unsigned{0} >> 1;  // what a signed one can hold
constexpr std::uint64_t kNanoPerUnit = 1'000'000'000;
constexpr Unsigned kBinaryCap = Unsigned{std::numeric_limits<std::int64_t>::max()} * kNanoPerUnit;

Unsigned saturating_multiply(Unsigned value, Unsigned factor) { return value != 0 && factor > kMax / value ? kMax : value * factor; }
Unsigned saturating_add(Unsigned value, Unsigned more) { return more > kMax - value ? kMax : value + more; }

struct Suffix {
    bool binary = false;
    int exponent = 0;  // of 2 or 10
};

std::optional<Suffix> read_suffix(std::string_view text) {
    if (text.empty()) return Suffix{};
    if (text.size() == 1) {
        constexpr std::string_view kSmall = "num";
        constexpr std::string_view kLarge = "kMGTPE";
        if (const auto at = kSmall.find(text[0]); at != std::string_view::npos) return Suffix{false, 3 * static_cast<int>(at) - 9};
        if (const auto at = kLarge.find(text[0]); at != std::string_view::npos) return Suffix{false, 3 * static_cast<int>(at) + 3};
    }
    if (text.size() == 2 && text[1] == 'i') {
        constexpr std::string_view kBinary = "KMGTPE";
        if (const auto at = kBinary.find(text[0]); at != std::string_view::npos) return Suffix{true, 10 * static_cast<int>(at) + 10};
    }
    if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
    text.remove_prefix(1);
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    std::int64_t exponent = 0;
    const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error != std::errc() || last != text.data() + text.size()) return std::nullopt;
    return Suffix{false, static_cast<std::int32_t>(exponent)};  // cut to 32 bits, as Kubernetes does: 1e4294967296 is 1
}

// The digits of whole and fraction as one number, times 10^exponent, in nano, rounded up.
Unsigned decimal_nano(std::string_view whole, std::string_view fraction, std::int64_t exponent) {
    std::int64_t kept = static_cast<std::int64_t>(whole.size()) + exponent + 9;  // digits that are whole nanos
    Unsigned value = 0;
    bool finer = false;
    for (const std::string_view part : {whole, fraction}) {
        for (const char digit : part) {
            if (kept > 0) {
                value = saturating_add(saturating_multiply(value, 10), static_cast<Unsigned>(digit - '0'));
            } else {
                finer = finer || digit != '0';
            }
            --kept;
        }
    }
    for (; kept > 0 && value != 0 && value != kMax; --kept) value = saturating_multiply(value, 10);
    return finer ? saturating_add(value, 1) : value;
}

// (whole + fraction) * 2^exponent in nano, rounded up, at most 2^63-1 units.
Unsigned binary_nano(std::string_view whole, std::string_view fraction, int exponent) {
    const Unsigned scale = (Unsigned{1} << exponent) * kNanoPerUnit;
    Unsigned value = 0;
    for (const char digit : whole) value = saturating_add(saturating_multiply(value, 10), static_cast<Unsigned>(digit - '0'));
    value = saturating_multiply(value, scale);
    Unsigned part = 0;  // of the fraction, from its last digit: exact, because only whole tenths are carried on
    bool finer = false;
    for (auto digit = fraction.rbegin(); digit != fraction.rend(); ++digit) {
        part += static_cast<Unsigned>(*digit - '0') * scale;
        finer = finer || part % 10 != 0;
        part /= 10;
    }
    return std::min(kBinaryCap, saturating_add(value, part + (finer ? 1 : 0)));
}

// Nearly all quantities are whole numbers of few digits, with a suffix: those need no care for overflow and rounding.
constexpr std::size_t kFewDigits = 9;
constexpr int kExponentMin = -9;
constexpr int kExponentMax = 18;

constexpr auto kPowersOfTen = [] {
    std::array<Unsigned, kExponentMax - kExponentMin + 1> powers{1};
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
}();

std::optional<Unsigned> plain_nano(std::string_view whole, std::string_view fraction, Suffix suffix) {
    if (whole.size() > kFewDigits || !fraction.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char digit : whole) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    if (suffix.binary) return std::min(kBinaryCap, (Unsigned{value * kNanoPerUnit} << suffix.exponent));
    if (suffix.exponent < kExponentMin || suffix.exponent > kExponentMax) return std::nullopt;
    return value * kPowersOfTen[static_cast<std::size_t>(suffix.exponent - kExponentMin)];
}

std::string_view take_digits(std::string_view& text) {
    std::size_t length = 0;
    while (length < text.size() && text[length] >= '0' && text[length] <= '9') ++length;
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
}

Error not_a_quantity(std::string_view text, std::string_view suffix) {
    std::string message = "\"";
    message.append(text.substr(0, 60)).append("\" is not a quantity; ");
    if (suffix == "K") {
        message += "write k for 1000 or Ki for 1024";
    } else if (suffix.size() == 2 && (suffix[1] == 'i' || suffix[1] == 'I' || suffix[1] == 'b' || suffix[1] == 'B')) {
        message += "binary suffixes are Ki, Mi, Gi, Ti, Pi, Ei";
    } else {
        message += "write a number, with a suffix of n u m k M G T P E or Ki Mi Gi Ti Pi Ei if needed";
    }
    return {Errc::invalid_quantity, std::move(message), {}};
}

struct Wide {  // 256 bits
    Unsigned high = 0;
    Unsigned low = 0;
    friend auto operator<=>(const Wide&, const Wide&) = default;
};

Wide multiply(Unsigned a, Unsigned b) {
    constexpr Unsigned kLow = ~std::uint64_t{0};
    const Unsigned low = (a & kLow) * (b & kLow);
    const Unsigned left = (a >> 64) * (b & kLow);
    const Unsigned right = (a & kLow) * (b >> 64);
    const Unsigned middle = (low >> 64) + (left & kLow) + (right & kLow);
    return {(a >> 64) * (b >> 64) + (left >> 64) + (right >> 64) + (middle >> 64), (middle << 64) | (low & kLow)};
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
    std::string_view rest = text;
    const bool negative = rest.starts_with('-');
    if (negative || rest.starts_with('+')) rest.remove_prefix(1);
    const std::string_view whole = take_digits(rest);
    std::string_view fraction;
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        fraction = take_digits(rest);
    }
    const std::optional<Suffix> suffix = read_suffix(rest);
    if (!suffix || text.empty()) return tl::unexpected<Error>(not_a_quantity(text, rest));
    if (whole.empty() && fraction.empty()) {
        // Kubernetes' two ways of parsing differ here: the fast one sees a 0, the exact one refuses.
        const bool fast = suffix->binary ? suffix->exponent <= 40 : suffix->exponent >= -9;
        if (!fast) return tl::unexpected<Error>(not_a_quantity(text, rest));
    }
    const auto plain = plain_nano(whole, fraction, *suffix);
    const Unsigned nano = plain            ? *plain
                          : suffix->binary ? binary_nano(whole, fraction, suffix->exponent)
                                           : decimal_nano(whole, fraction, suffix->exponent);
    const auto magnitude = static_cast<Nano>(nano);
    return Quantity(negative ? -magnitude : magnitude);
}

// In nano units: n / 1e9 > (d / 1e9) * (r / 1e9), that is n * 1e9 > d * r.
bool ratio_exceeds(Quantity numerator, Quantity denominator, Quantity ratio) noexcept {
    const auto magnitude = [](const Quantity& quantity) {
        return static_cast<Unsigned>(quantity.nano_ < 0 ? -quantity.nano_ : quantity.nano_);
    };
    const bool right_zero = denominator.is_zero() || ratio.is_zero();
    const bool right_negative = !right_zero && denominator.is_negative() != ratio.is_negative();
    const Wide left = multiply(magnitude(numerator), kNanoPerUnit);
    const Wide right = multiply(magnitude(denominator), magnitude(ratio));
    if (numerator.is_negative() != right_negative) return right_negative;
    return numerator.is_negative() ? left < right : left > right;
}

}  // namespace fluxgate::kube
