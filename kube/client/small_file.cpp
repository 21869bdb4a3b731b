#include "kube/client/small_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace fluxgate::kube::client {

namespace {

class OpenFile {
public:
    // Not blocking: to open a named pipe would wait for its writer.
    explicit OpenFile(const std::string& file) : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

}  // namespace

Result<std::string> read_small_file(const std::string& file) {
    const auto failed = [&] { return fail(Errc::io, fmt::format("cannot be read: {}", std::system_category().message(errno)), file); };
    const OpenFile open(file);
    if (open.descriptor() < 0) return failed();
    struct stat about {};
    if (::fstat(open.descriptor(), &about) != 0) return failed();
    if (!S_ISREG(about.st_mode)) return fail(Errc::io, "is no regular file", file);
    std::string text(kSmallFileBytesMax + 1, '\0');
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        const ssize_t got = ::read(open.descriptor(), text.data() + bytes, text.size() - bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed();
        if (got == 0) break;
        bytes += static_cast<std::size_t>(got);
    }
    text.resize(bytes);
    if (text.size() > kSmallFileBytesMax) return fail(Errc::too_large, fmt::format("has more than {} bytes", kSmallFileBytesMax), file);
    return text;
}

}  // namespace fluxgate::kube::client
