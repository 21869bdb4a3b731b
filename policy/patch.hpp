#pragma once

// A JSON Patch (RFC 6902) that only adds what is absent, and takes out items of lists. Several rules fill one patch; the first
// to fill a field wins.

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kube/json.hpp"

namespace fluxgate::policy {

// A JSON pointer (RFC 6901) and one step more.
std::string with_step(std::string pointer, std::string_view step);

class Patch {
public:
    // Sets the field at the end of `steps` below `object`, which stands at `pointer` ("/spec/containers/0"), and makes the objects
    // on the way. Nothing if the field is set, was filled before, or something on the way is no object. True if it was filled.
    bool fill(const std::string& pointer, kube::Json object, std::initializer_list<std::string_view> steps, nlohmann::json value);
    // Takes the item at `index` out of the list at `pointer`. Of one list, the last first.
    void remove_item(const std::string& pointer, std::size_t index);

    // Has the patch filled this place?
    bool has_filled(std::string_view pointer) const { return made_.contains(pointer); }

    bool empty() const { return operations_.empty(); }
    // An array of operations.
    const nlohmann::json& operations() const { return operations_; }

private:
    nlohmann::json operations_ = nlohmann::json::array();
    std::set<std::string, std::less<>> made_;  // what the patch has added so far
};

}  // namespace fluxgate::policy
