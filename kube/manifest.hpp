#pragma once

// Reads manifests, YAML or JSON, strictly and with positions: policy files, and what `fluxgate check` judges.
//
// Strict means that a file has one meaning for every reader. Kubernetes, a YAML 1.1 tool and a YAML 1.2 tool must agree
// on it, or it is a problem that says what to write instead:
//   - duplicate keys, anchors, aliases, tags (also `!!str` and `!`), merge keys, directives
//   - unquoted words that are booleans in YAML 1.1: yes no on off y n, in any case
//   - unquoted numbers that change with the reader: 0777, 1_000, 0b11, 1:30; .inf and .nan, which JSON cannot hold; what
//     does not fit into 64 bits
//   - keys that are not strings; a plain decimal integer (`8080: web`) is taken as the string it is written as
//   - tabs outside quotes, comments, block scalars, flow collections and line ends; an empty item in `[a,,b]`
//   - invalid UTF-8, control characters, lone carriage returns, byte order marks after the first character
//   - what yaml-cpp lets pass or reads in its own way: a second value in one document, a value no further right than its
//     key, a last key without its colon, text after `...`, `>+`, empty lines before a closing quote
// Plain scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): null, true, false,
// integers, floats; all else is a string, timestamps too. JSON is read as the YAML it is. Empty documents are skipped.
//
// All problems of a file come in one run. A problem of syntax ends its document; reading goes on at the next `---`.
// Time is linear in the text. Memory peaks while a flow collection (JSON) is read, because yaml-cpp holds all tokens of
// one: about 70 MB at 200,000 nodes. Two limits of yaml-cpp 0.7 show as errors: keys of more than 1,024 bytes, and a
// question mark in unquoted text within brackets, as in `[https://x?y]`.
//
// yaml-cpp lives in manifest.cpp only; its exceptions end there. Nodes are immutable, any number of threads may share them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/limits.hpp"

namespace fluxgate::kube {

// 1-based; columns count characters, not bytes.
struct Position {
    int line = 0;
    int column = 0;

    friend auto operator<=>(const Position&, const Position&) = default;
};

struct Entry;

class Node {
public:
    enum class Kind : std::uint8_t { null, boolean, integer, number, string, sequence, mapping };

    Node() = default;

    Kind kind() const { return kind_; }
    // Of the first character; of the key when a mapping entry has no value at all.
    Position position() const { return position_; }

    // A scalar: a quoted or block one decoded, a plain one as it is written. Empty for null and collections.
    const std::string& text() const { return text_; }
    bool as_bool() const { return kind_ == Kind::boolean && integer_ != 0; }
    // 0 unless kind() is integer.
    std::int64_t as_integer() const { return kind_ == Kind::integer ? integer_ : 0; }
    // 0 unless kind() is integer or number. Rounded: compare text() where that matters (quantities).
    double as_number() const;

    const std::vector<Node>& items() const { return items_; }
    // In the order of the file; keys are unique.
    const std::vector<Entry>& entries() const { return entries_; }
    // Linear in the number of entries; nullptr when absent or when this is no mapping.
    const Node* find(std::string_view key) const;

private:
    friend class NodeBuilder;

    Kind kind_ = Kind::null;
    Position position_;
    std::int64_t integer_ = 0;  // also the boolean
    std::string text_;
    std::vector<Node> items_;
    std::vector<Entry> entries_;
};

struct Entry {
    std::string key;
    Position key_position;
    Node value;
};

// "a string", "a mapping" …: what a message says about a node of the wrong kind.
std::string_view describe(Node::Kind kind);

struct Document {
    Node root;
    int index = 0;  // from 0 within the file; unreadable documents count, empty ones do not
};

struct ReadProblem {
    Errc code = Errc::internal;
    Position position;
    std::string message;
};

struct ReadResult {
    // As far as they could be read, so that a caller can look for further problems. Act on them only if there are none.
    std::vector<Document> documents;
    std::vector<ReadProblem> problems;  // in the order of the file, at most limits.policy_errors_max
};

// Bounds: policy_file_bytes_max, policy_documents_max, yaml_depth_max, yaml_nodes_max (over the whole file, with keys).
// Codes: invalid_yaml, invalid_utf8, duplicate_key, too_deep, too_many_nodes, too_large.
ReadResult read_manifests(std::string_view text, const Limits& limits);

// Compact JSON with the entries in file order; numbers in JSON's spelling (`.5` becomes 0.5, `0x10` becomes 16).
std::string to_json(const Node& node);

}  // namespace fluxgate::kube
