#include "audit/signing_key.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fluxgate::audit {

namespace {

constexpr std::string_view kTitle = "fluxgate key rotation\n";
constexpr std::size_t kFileBytesMax = 64u << 10;
constexpr std::size_t kNamePartCharactersMax = 100;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    bool good() const { return fd_ >= 0; }

private:
    int fd_;
};

tl::unexpected<Error> io_error(std::string_view doing, const std::filesystem::path& path) {
    return fail(Errc::io, fmt::format("cannot {} the signing key: {}", doing, std::strerror(errno)), path.string());
}

Result<void> require_private(int fd, const std::filesystem::path& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return io_error("look at", path);
    if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, "is no file; a signing key is one", path.string());
    const auto open_to_others = status.st_mode & (status.st_uid == ::geteuid() ? 077 : 027);
    if (open_to_others == 0) return {};
    return fail(
        Errc::invalid_argument,
        fmt::format("has mode {:04o}, so others than its owner can read or change the key that signs the audit log: make it 0600, and "
                    "rotate the key if somebody could have read it",
                    status.st_mode & 07777),
        path.string());
}

Result<std::string> read_private(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.good()) return io_error("open", path);
    if (auto checked = require_private(file.get(), path); !checked) return tl::unexpected(checked.error());
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", path);
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
        if (text.size() > kFileBytesMax) return fail(Errc::invalid_argument, "is larger than a signing key can be", path.string());
    }
}

std::filesystem::path beside(const std::filesystem::path& path) { return path.string() + ".new"; }

Result<void> write_beside(const std::filesystem::path& path, std::string_view text) {
    ::unlink(beside(path).c_str());  // of a process that was killed; the creation below says what else is wrong
    const Descriptor file(::open(beside(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.good()) return io_error("create", beside(path));
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error("write", beside(path));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0) return io_error("make durable", beside(path));
    return {};
}

Result<void> sync_folder_of(const std::filesystem::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.good() || ::fsync(directory.get()) != 0) return io_error("make durable the name of", path);
    return {};
}

// A key that is there is never replaced by this.
Result<void> create(const std::filesystem::path& path, std::string_view text) {
    if (auto written = write_beside(path, text); !written) return written;
    if (::link(beside(path).c_str(), path.c_str()) != 0) return io_error("create", path);
    ::unlink(beside(path).c_str());
    return sync_folder_of(path);
}

Result<void> replace(const std::filesystem::path& path, std::string_view text) {
    if (auto written = write_beside(path, text); !written) return written;
    if (::rename(beside(path).c_str(), path.c_str()) != 0) return io_error("replace", path);
    return sync_folder_of(path);
}

// The key, and behind an empty line the statement of a rotation.
std::string file_text(const SigningKey& key) { return key.key.text() + "\n" + (key.rotation ? "\n" + key.rotation->note : std::string()); }

Result<SigningKey> parse_file(std::string_view text) {
    const std::size_t end = text.find('\n');
    auto key = SignerKey::parse(text.substr(0, end));
    if (!key) return tl::unexpected(key.error());
    SigningKey parsed{.key = std::move(*key)};
    if (end == std::string_view::npos || end + 1 == text.size()) return parsed;
    if (text[end + 1] != '\n')
        return fail(Errc::invalid_argument, "expected one private key, an empty line and the statement of its rotation");
    auto rotation = KeyRotation::parse(text.substr(end + 2));
    if (!rotation) return tl::unexpected(rotation.error());
    if (rotation->to != parsed.key.verifier())
        return fail(Errc::invalid_argument, "the statement of rotation names another key than the one in the file");
    parsed.rotation = std::move(*rotation);
    return parsed;
}

Result<KeyRotation> state_rotation(const SignerKey& from, const SignerKey& to) {
    const std::string text = fmt::format("{}{}\n{}\n{}\n", kTitle, from.verifier().name, from.verifier().text(), to.verifier().text());
    auto note = sign_note(text, from);
    if (!note) return tl::unexpected(note.error());
    const auto second = to.signature_line(text);
    if (!second) return tl::unexpected(second.error());
    return KeyRotation::parse(*note + *second);
}

std::string name_part(std::string_view text) {
    std::string part(text.substr(0, kNamePartCharactersMax));
    for (char& c : part) {
        if (c <= ' ' || c >= 0x7f || c == '+' || c == '/') c = '-';
    }
    return part.empty() ? "unnamed" : part;
}

}  // namespace

Result<KeyRotation> KeyRotation::parse(std::string_view note) {
    const auto bad_form = [] {
        return fail(Errc::invalid_argument,
                    "is no statement of a key rotation: expected the title, the origin, the old and the new verifier key");
    };
    const auto parsed = SignedNote::parse(note);
    if (!parsed) return tl::unexpected(parsed.error());
    std::string_view text = parsed->text;
    if (!text.starts_with(kTitle)) return bad_form();
    text.remove_prefix(kTitle.size());
    std::array<std::string_view, 3> lines;
    for (std::string_view& line : lines) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return bad_form();
        line = text.substr(0, end);
        text.remove_prefix(end + 1);
    }
    if (!text.empty()) return bad_form();
    auto from = VerifierKey::parse(lines[1]);
    if (!from) return tl::unexpected(from.error());
    auto to = VerifierKey::parse(lines[2]);
    if (!to) return tl::unexpected(to.error());
    if (*from == *to) return fail(Errc::invalid_argument, "the statement of rotation names the same key twice");
    if (from->name != lines[0] || to->name != lines[0])
        return fail(Errc::contradictory, fmt::format("the statement of rotation is about {}, but names keys of another log", lines[0]));
    const auto valid = parsed->verify({*from, *to});
    if (!valid) return tl::unexpected(valid.error());
    if (valid->size() != 2) return fail(Errc::contradictory, "the statement of rotation is not signed by both the old and the new key");
    return KeyRotation{std::move(*from), std::move(*to), std::string(note)};
}

Result<SigningKey> SigningKey::open(const std::filesystem::path& path) {
    const auto text = read_private(path);
    if (!text) return tl::unexpected(text.error());
    auto key = parse_file(*text);
    if (!key) return fail(key.error().code, key.error().message, path.string());
    key->path = path;
    return key;
}

Result<SigningKey> SigningKey::open_or_make(const std::filesystem::path& path, const std::string& origin) {
    if (::access(path.c_str(), F_OK) == 0) return open(path);
    if (errno != ENOENT) return io_error("look for", path);
    const auto key = SignerKey::generate(origin);
    if (!key) return tl::unexpected(key.error());
    SigningKey made{.key = *key, .rotation = {}, .path = path};
    if (auto created = create(path, file_text(made)); !created) return tl::unexpected(created.error());
    return made;
}

Result<SigningKey> SigningKey::rotate(const std::filesystem::path& path) {
    const auto old = open(path);
    if (!old) return old;
    if (old->rotation) {
        return fail(
            Errc::contradictory,
            "the last rotation of this key is not in the log yet: start `fluxgate serve` with it, wait for its next checkpoint, and "
            "rotate again then",
            path.string());
    }
    auto key = SignerKey::generate(old->key.verifier().name);
    if (!key) return tl::unexpected(key.error());
    auto rotation = state_rotation(old->key, *key);
    if (!rotation) return tl::unexpected(rotation.error());
    SigningKey made{.key = std::move(*key), .rotation = std::move(*rotation), .path = path};
    if (auto replaced = replace(path, file_text(made)); !replaced) return tl::unexpected(replaced.error());
    return made;
}

Result<void> SigningKey::statement_is_recorded() {
    if (!rotation) return {};
    SigningKey settled{.key = key, .rotation = {}, .path = path};
    if (auto replaced = replace(path, file_text(settled)); !replaced) return replaced;
    *this = std::move(settled);
    return {};
}

std::string origin_for(std::string_view cluster, std::string_view replica, std::uint64_t epoch) {
    return fmt::format("fluxgate/{}/{}/{}", name_part(cluster), name_part(replica), epoch);
}

}  // namespace fluxgate::audit
