#include "audit/checkpoint.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/base64.hpp"

namespace fluxgate::audit {

namespace {

tl::unexpected<Error> bad_form(std::string_view what) {
    return fail(Errc::invalid_argument,
                fmt::format("is no checkpoint: {}; expected the lines ORIGIN, SIZE and ROOT and nothing else", what));
}

// Decimal, as it is written: no sign, no leading zeros.
bool read_size(std::string_view text, std::uint64_t& size) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    return error == std::errc() && end == text.data() + text.size() && fmt::format("{}", size) == text;
}

}  // namespace

std::string Checkpoint::text() const {
    return fmt::format("{}\n{}\n{}\n", origin, size, base64({reinterpret_cast<const char*>(root.data()), root.size()}));
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
    const std::size_t first = text.find('\n');
    const std::size_t second = first == std::string_view::npos ? first : text.find('\n', first + 1);
    const std::size_t third = second == std::string_view::npos ? second : text.find('\n', second + 1);
    if (third == std::string_view::npos) return bad_form("a line is missing");
    if (third + 1 != text.size()) return bad_form("it has lines behind the root");
    Checkpoint checkpoint{.origin = std::string(text.substr(0, first))};
    if (checkpoint.origin.empty()) return bad_form("the origin is empty");
    if (!read_size(text.substr(first + 1, second - first - 1), checkpoint.size)) return bad_form("the size is no plain decimal number");
    const auto root = from_base64(text.substr(second + 1, third - second - 1));
    if (!root || root->size() != checkpoint.root.size()) return bad_form("the root is not the base64 of 32 bytes");
    std::copy(root->begin(), root->end(), checkpoint.root.begin());
    return checkpoint;
}

Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& key) {
    const auto parsed = SignedNote::parse(note);
    if (!parsed) return tl::unexpected(parsed.error());
    const auto valid = parsed->verify({key});
    if (!valid) return tl::unexpected(valid.error());
    if (valid->empty())
        return fail(Errc::contradictory,
                    fmt::format("the checkpoint is not signed by {}: it is another log's, or the key was changed", key.text()));
    auto checkpoint = Checkpoint::parse(parsed->text);
    if (checkpoint && checkpoint->origin != key.name) {
        return fail(Errc::contradictory, fmt::format("the origin of the checkpoint is {}, but the key that signed it is named {}",
                                                     checkpoint->origin, key.name));
    }
    return checkpoint;
}

Result<std::string> sign_checkpoint(std::uint64_t size, const Hash& root, const SignerKey& key) {
    const Checkpoint checkpoint{.origin = key.verifier().name, .size = size, .root = root};
    return sign_note(checkpoint.text(), key);
}

}  // namespace fluxgate::audit
