#pragma once

// FieldsV1: which fields of an object a manager declares, from `metadata.managedFields[].fieldsV1`.
//
// A value: immutable, copyable, compared by content, whatever the order in the JSON. Held flat, in two blocks of memory,
// because a lock reads one for every review. Format: `f:<name>` is a field, `k:{…}` the list item with these key fields,
// `v:<json>` the item of a set, `i:<n>` an item by position; `.` is the node itself, and an empty object a leaf.
// https://pkg.go.dev/sigs.k8s.io/structured-merge-diff/v6/fieldpath
//
// Stricter than Kubernetes, which drops what it does not know: to a lock, a field that is dropped is a field that is open.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube {

struct PathElement {
    enum class Kind : std::uint8_t { field, key, value, index };

    Kind kind = Kind::field;
    // field: the name. key: `{"name":"web"}`, members sorted, no blanks. value: the scalar as JSON. index: digits.
    // One spelling for one value, so that equal means the same; integers of 64 bits and up keep their digits.
    std::string_view text;

    friend bool operator==(const PathElement&, const PathElement&) = default;
    friend auto operator<=>(const PathElement&, const PathElement&) = default;
};

// `.image`, `["a.b/c"]`, `[name="web"]`, `[="x"]`, `[0]`: see kube/path.hpp.
void append_element(std::string& path, PathElement element);

// True if a list item is the one that a key or value element means: it has all these key fields with these values, or is
// that value. False for fields and indexes.
bool selects(PathElement element, Json item);

// The names in a key element, sorted: `["containerPort","protocol"]`; empty for other elements.
std::vector<std::string> key_names(PathElement element);

// Writes the text of the key element that means `item` among items with these key names (of `key_names`). False if the item
// lacks one of them or has something that is no scalar: then no element means it.
bool spell_key(const std::vector<std::string>& names, Json item, std::string& text);

class FieldSet {
public:
    // A place in the set; lives as long as the set and does not move with it.
    class Node;

    FieldSet() = default;

    // Errc::invalid_field_set for an unknown or unreadable element, an element twice, a value that is no object, or more
    // than limits.field_set_depth_max levels; `where` is the JSON pointer. `parse` adds the errors of JsonReader::read.
    static Result<FieldSet> parse(std::string_view json, const Limits& limits);
    static Result<FieldSet> read(Json fields, const Limits& limits);
    // Of the fields at the top only those named; the others are passed over unread.
    static Result<FieldSet> read_below(Json fields, std::span<const std::string_view> names, const Limits& limits);

    // What either of them declares. A leaf is all of its value, so what is a leaf in one is a leaf in both. Linear.
    static FieldSet unite(const FieldSet& left, const FieldSet& right);

    // The first path of which both `left` and `right` declare the value, and `before` and `right` did not. The key fields of list
    // items are none: whoever means an item must name them. Linear.
    static std::optional<std::string> first_new_overlap(const FieldSet& before, const FieldSet& left, const FieldSet& right);

    // Is everything that `before` declares, and that the object still has, declared by `after` or by `others`? False as well if it
    // takes too long to find out, which no real object needs.
    static bool keeps_owners(const FieldSet& before, const FieldSet& after, const FieldSet& others, Json object);

    bool empty() const { return rows_.empty(); }
    Node root() const;

    // Every declared path, parents before children; at most `paths_max`.
    std::vector<std::string> paths(std::size_t paths_max = std::numeric_limits<std::size_t>::max()) const;
    std::string to_json() const;

    friend bool operator==(const FieldSet& left, const FieldSet& right);

private:
    friend class FieldSetReader;

    struct Row {
        std::uint32_t text_begin = 0;
        std::uint32_t text_size = 0;
        std::uint32_t end = 0;  // of the rows below this one, which follow it
        PathElement::Kind kind = PathElement::Kind::field;
        bool declared = false;
    };

    PathElement element(const Row& row) const { return {row.kind, std::string_view(texts_).substr(row.text_begin, row.text_size)}; }
    void append_json(std::string& out, std::size_t begin, std::size_t end) const;
    bool is_leaf(std::size_t row) const { return rows_[row].end == row + 1; }
    // One row, or one with all below it, of another set; returns where it is now. `end` of a single row is for the caller.
    std::size_t append_row(const FieldSet& from, std::size_t row);
    void append_tree(const FieldSet& from, std::size_t row);
    void append_union(const FieldSet& left, std::size_t left_at, std::size_t left_end, const FieldSet& right, std::size_t right_at,
                      std::size_t right_end);

    std::string texts_;
    std::vector<Row> rows_;  // depth first, siblings sorted
};

class FieldSet::Node {
public:
    class Iterator {
    public:
        Iterator(const FieldSet* set, std::size_t row) : set_(set), row_(row) {}
        Node operator*() const { return Node(set_, row_ + 1, set_->rows_[row_].end); }
        Iterator& operator++() {
            row_ = set_->rows_[row_].end;
            return *this;
        }
        friend bool operator==(const Iterator& left, const Iterator& right) { return left.row_ == right.row_; }

    private:
        const FieldSet* set_;
        std::size_t row_;
    };

    // Not for the root, which has no element and is not declared.
    PathElement element() const { return set_->element(set_->rows_[begin_ - 1]); }
    // The node itself belongs to the set, not only something below it. Without children: all of it, an atomic value.
    bool declared() const { return begin_ > 0 && set_->rows_[begin_ - 1].declared; }
    bool is_leaf() const { return begin_ == end_; }

    // Children, sorted by element.
    Iterator begin() const { return Iterator(set_, begin_); }
    Iterator end() const { return Iterator(set_, end_); }

private:
    friend class FieldSet;
    Node(const FieldSet* set, std::size_t begin, std::size_t end) : set_(set), begin_(begin), end_(end) {}

    const FieldSet* set_;
    std::size_t begin_;  // of the children; the row before it is the node's own
    std::size_t end_;
};

inline FieldSet::Node FieldSet::root() const { return Node(this, 0, rows_.size()); }

}  // namespace fluxgate::kube
