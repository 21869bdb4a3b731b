#include "kube/client/stream_splitter.hpp"

#include <algorithm>
#include <vector>

namespace fluxgate::kube::client {

namespace {

// What stands around the items: kind, apiVersion, metadata with a continue token. A token is a few hundred bytes.
constexpr std::size_t kEnvelopeBytesMax = 64u << 10;
constexpr std::string_view kItems = "items";

}  // namespace

bool ListSplitter::feed(std::string_view bytes) {
    for (const char letter : bytes) {
        if (in_items_ && depth_ > 2) {
            take_within_item(letter);
        } else {
            take(letter);
            if (stray_ || envelope_.size() > kEnvelopeBytesMax) return false;
        }
    }
    return true;
}

void ListSplitter::follow_string(char letter) {
    if (escaped_) {
        escaped_ = false;
    } else if (letter == '\\') {
        escaped_ = true;
    } else if (letter == '"') {
        in_string_ = false;
    }
}

void ListSplitter::take(char letter) {
    if (in_string_) {
        envelope_ += letter;
        follow_string(letter);
        if (in_string_ && last_string_.size() <= kItems.size()) last_string_ += letter;
        return;
    }
    if (in_items_ && depth_ == 2 && letter != ']') {
        if (letter == '{') {
            depth_ = 3;
            item_.assign(1, letter);
            oversize_ = false;
        } else if (letter != ',' && letter != ' ' && letter != '\n' && letter != '\r' && letter != '\t') {
            stray_ = true;
        }
        return;
    }
    envelope_ += letter;
    if (letter == '"') {
        in_string_ = true;
        last_string_.clear();
    } else if (letter == '{' || letter == '[') {
        if (letter == '[' && depth_ == 1 && last_string_ == kItems) in_items_ = true;
        ++depth_;
    } else if (letter == '}' || letter == ']') {
        if (depth_ > 0) --depth_;
        if (depth_ < 2) in_items_ = false;
    }
}

void ListSplitter::take_within_item(char letter) {
    if (item_.size() < bytes_max_) {
        item_ += letter;
    } else {
        oversize_ = true;
    }
    if (in_string_) {
        follow_string(letter);
    } else if (letter == '"') {
        in_string_ = true;
    } else if (letter == '{' || letter == '[') {
        ++depth_;
    } else if ((letter == '}' || letter == ']') && --depth_ == 2) {
        (oversize_ ? handlers_.too_large : handlers_.piece)(item_);
        item_.clear();
    }
}

void LineSplitter::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::size_t room = bytes_max_ - line_.size();
        if (end > room) oversize_ = true;
        line_.append(bytes.substr(0, std::min(end, room)));
        if (end == bytes.size()) return;
        bytes.remove_prefix(end + 1);
        if (oversize_) {
            handlers_.too_large(line_);
        } else if (!line_.empty()) {
            handlers_.piece(line_);
        }
        line_.clear();
        oversize_ = false;
    }
}

std::string name_in_beginning(std::string_view text, std::size_t depth) {
    std::string name;
    std::string namespace_name;
    std::vector<std::string_view> keys(1);  // the last key of each level
    bool is_value = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        if (letter == '{' || letter == '[') keys.emplace_back();
        if ((letter == '}' || letter == ']') && keys.size() > 1) keys.pop_back();
        if (letter == ':') is_value = true;
        if (letter == ',' || letter == '{' || letter == '[') is_value = false;
        if (letter != '"') continue;
        const std::size_t begin = at + 1;
        for (++at; at < text.size() && text[at] != '"'; ++at) {
            if (text[at] == '\\') ++at;
        }
        if (at >= text.size()) break;
        const std::string_view string = text.substr(begin, at - begin);
        if (!is_value) {
            keys.back() = string;
        } else if (keys.size() == depth + 2 && keys[depth] == "metadata") {
            if (keys.back() == "name") name = string;
            if (keys.back() == "namespace") namespace_name = string;
        }
    }
    if (name.empty()) return "an object";
    return namespace_name.empty() ? name : namespace_name + "/" + name;
}

}  // namespace fluxgate::kube::client
