#include "policy/patch.hpp"

#include "kube/path.hpp"

namespace fluxgate::policy {

std::string with_step(std::string pointer, std::string_view step) {
    kube::append_pointer_step(pointer, step);
    return pointer;
}

bool Patch::fill(const std::string& pointer, kube::Json object, std::initializer_list<std::string_view> steps, nlohmann::json value) {
    std::string place = pointer;
    std::vector<std::string> to_make;
    for (const std::string_view step : steps) {
        if (object.present() && !object.absent_or_null() && !object.is_object()) return false;
        place = with_step(std::move(place), step);
        object = object[step];
        if (object.absent_or_null() && !made_.contains(place)) to_make.push_back(place);
    }
    // The field itself is there, in the object or in the patch.
    if (to_make.empty() || to_make.back() != place) return false;
    to_make.pop_back();
    for (std::string& parent : to_make) {
        operations_.push_back({{"op", "add"}, {"path", parent}, {"value", nlohmann::json::object()}});
        made_.insert(std::move(parent));
    }
    operations_.push_back({{"op", "add"}, {"path", place}, {"value", std::move(value)}});
    made_.insert(std::move(place));
    return true;
}

void Patch::remove_item(const std::string& pointer, std::size_t index) {
    operations_.push_back({{"op", "remove"}, {"path", with_step(pointer, std::to_string(index))}});
}

}  // namespace fluxgate::policy
