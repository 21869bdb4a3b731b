#include "kube/client/small_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace fluxgate::kube::client {

Result<std::string> read_small_file(const std::string& file) {
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    const auto failed = [&] { return fail(Errc::io, fmt::format("cannot be read: {}", std::system_category().message(errno)), file); };
    if (!stream) return failed();
    std::string text(kSmallFileBytesMax + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.bad()) return failed();
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kSmallFileBytesMax) return fail(Errc::too_large, fmt::format("has more than {} bytes", kSmallFileBytesMax), file);
    return text;
}

}  // namespace fluxgate::kube::client
