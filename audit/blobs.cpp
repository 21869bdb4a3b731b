#include "audit/blobs.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "base/digest.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::size_t kHexDigits = 64;

}  // namespace

Result<std::string> blob_path(std::string_view digest) {
    const std::string_view hex = digest.starts_with(kAlgorithm) ? digest.substr(kAlgorithm.size()) : std::string_view();
    if (hex.size() != kHexDigits || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos)
        return fail(Errc::invalid_argument, "a blob is named by sha256: and 64 lower-case hexadecimal digits", std::string(digest));
    return fmt::format("{}/{}/{}", kBlobDirectory, hex.substr(0, 2), hex);
}

Result<std::string> store_blob(Disk& disk, std::string_view bytes) {
    const std::string digest = std::string(kAlgorithm) + sha256_hex(bytes);
    if (bytes.size() > kBlobBytesMax)
        return fail(Errc::too_large, fmt::format("a blob has at most {} bytes, this one {}", kBlobBytesMax, bytes.size()), digest);
    if (auto created = create_durably(disk, blob_path(digest).value(), bytes); !created) return tl::unexpected(created.error());
    return digest;
}

Result<std::string> read_blob(Disk& disk, std::string_view digest) {
    const auto path = blob_path(digest);
    if (!path) return path;
    auto bytes = read_whole(disk, *path, kBlobBytesMax);
    if (!bytes) return bytes;
    if (std::string(kAlgorithm) + sha256_hex(*bytes) != digest)
        return fail(Errc::contradictory, "the bytes are not those of the digest: somebody changed the audit log", *path);
    return bytes;
}

}  // namespace fluxgate::audit
