#pragma once

// The documents of a set as they are written, beside what they were compiled to: for whoever must point at a line (lint.hpp) or
// compares texts by their meaning (compare.hpp). The set itself keeps no places, because nobody asks for them on the request path.

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "kube/manifest.hpp"
#include "policy/loader.hpp"

namespace fluxgate::policy {

struct PolicyDocument {
    std::string file;
    kube::Node root;
};

// In the order of PolicySet: `policies[i]` was compiled to the set's i-th policy.
struct PolicyDocuments {
    std::vector<PolicyDocument> policies{};
    std::vector<PolicyDocument> exceptions{};
    std::vector<PolicyDocument> writers{};
    std::vector<PolicyDocument> grants{};
};

// Of files that compile. PolicyTests are passed over: they are no part of a set.
PolicyDocuments read_policy_documents(const std::vector<PolicyFile>& files, const Limits& limits);

// A step down: the key of a mapping, or the index of a list.
struct DocumentStep {
    DocumentStep(const char* k) : key(k) {}  // NOLINT: a path reads as one
    DocumentStep(std::size_t i) : index(i) {}
    std::string_view key{};
    std::size_t index = 0;
};

// The value there, nullptr if there is none.
const kube::Node* find_in(const kube::Node& root, std::initializer_list<DocumentStep> path);

// Where it stands: the key of a mapping's entry, an item itself; the nearest parent that is there if it is not.
kube::Position position_of(const kube::Node& root, std::initializer_list<DocumentStep> path);

}  // namespace fluxgate::policy
