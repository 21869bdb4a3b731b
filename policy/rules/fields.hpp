#pragma once

// What several rules read from a policy file in the same way, and how they show a value that they found in an object.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.hpp"
#include "policy/decode.hpp"

namespace fluxgate::policy {

// nullopt if absent, or no boolean, which is a problem.
std::optional<bool> decode_boolean(Mapping& fields, std::string_view key);

// A list of strings of which each is one of `names`.
std::vector<std::string> decode_names(Mapping& fields, std::string_view key, const std::vector<std::string_view>& names);

// A list of strings that are not empty.
std::vector<std::string> decode_texts(Mapping& fields, std::string_view key);

// A list that is there must have items. `meaning` ends the sentence: "is an empty list, which …".
void refuse_empty_list(Mapping& fields, std::string_view key, std::string_view meaning);

// True if a list has more than `items_max` items: a problem, and it must not be looked at.
bool refuse_longer_list(Mapping& fields, std::string_view key, std::size_t items_max);

// Reports a rule that demands nothing, unless it has problems that may be the cause.
class DemandCheck {
public:
    explicit DemandCheck(Mapping& fields) : fields_(fields), problems_before_(fields.problems().count()) {}
    void require(bool demands_something, std::string_view message) const;

private:
    Mapping& fields_;
    std::size_t problems_before_;
};

// Absent, null or "", which Kubernetes does not tell apart in a field that holds a text.
bool is_empty(kube::Json value);

// "(absent)" also for null; strings in quotes; cut to a length that leaves a message room for others.
std::string shown(kube::Json value);
std::string shown(std::string_view text);

// "a, b, c"; beyond eight "… and 3 more".
std::string listed(const std::vector<std::string>& names);

}  // namespace fluxgate::policy
