#include "base/digest.hpp"

#include <exception>
#include <memory>

#include <openssl/evp.h>

namespace fluxgate {

namespace {

// A context with SHA-256 looked up once: that costs more than hashing a short text.
EVP_MD_CTX* context_of_this_thread() {
    using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
    thread_local const Context context = [] {
        Context made(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
        const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free);
        // OpenSSL without SHA-256, or no memory: nothing of ours could work.
        if (!made || !algorithm || EVP_DigestInit_ex2(made.get(), algorithm.get(), nullptr) != 1) std::terminate();
        return made;
    }();
    return context.get();
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::initializer_list<std::string_view> parts) {
    EVP_MD_CTX* context = context_of_this_thread();
    std::array<std::uint8_t, 32> digest{};
    bool done = EVP_DigestInit_ex2(context, nullptr, nullptr) == 1;
    for (const std::string_view part : parts) done = done && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
    done = done && EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
    if (!done) std::terminate();
    return digest;
}

std::string sha256_hex(std::string_view bytes) {
    const auto digest = sha256({bytes});
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(digest.size() * 2);
    for (const std::uint8_t byte : digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 0x0f];
    }
    return text;
}

}  // namespace fluxgate
