#include "kube/managed_fields.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace fluxgate::kube {

namespace {

// What is wrong with the entry: the member and what was expected of it; two empty texts if nothing is.
std::pair<std::string_view, std::string_view> wrong_in(Json entry) {
    const auto is_text = [&](std::string_view key) { return !entry[key].present() || entry[key].is_string(); };
    if (!entry.is_object()) return {"", "an object"};
    for (const std::string_view key : {"manager", "time", "subresource"}) {
        if (!is_text(key)) return {key, "a string"};
    }
    const std::string_view operation = entry["operation"].text();
    if (operation != "Apply" && operation != "Update") return {"operation", "Apply or Update"};
    if (entry["apiVersion"].text().empty()) return {"apiVersion", "a version"};
    if (entry["fieldsType"].text() != "FieldsV1") return {"fieldsType", "FieldsV1"};
    if (!entry["fieldsV1"].is_object()) return {"fieldsV1", "an object"};
    return {};
}

}  // namespace

Result<std::vector<ManagedFieldsEntry>> read_managed_fields(Json object) {
    const Json list = object["metadata"]["managedFields"];
    std::vector<ManagedFieldsEntry> entries;
    if (list.absent_or_null()) return entries;
    std::string where = "/metadata/managedFields";
    if (!list.is_array()) return fail(Errc::invalid_field_set, fmt::format("expected a list, found {}", list.type_name()), where);
    entries.reserve(list.size());
    std::string problem;
    std::size_t index = 0;
    list.each_item([&](Json entry) {
        if (!problem.empty()) return;
        if (const auto [key, expected] = wrong_in(entry); !expected.empty()) {
            problem = fmt::format("expected {}", expected);
            where += fmt::format("/{}{}{}", index, key.empty() ? "" : "/", key);
            return;
        }
        ++index;
        entries.push_back({entry["manager"].text(), entry["operation"].text(), entry["apiVersion"].text(), entry["subresource"].text(),
                           entry["fieldsV1"], entry});
    });
    if (!problem.empty()) return fail(Errc::invalid_field_set, std::move(problem), std::move(where));
    return entries;
}

}  // namespace fluxgate::kube
