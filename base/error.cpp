#include "base/error.hpp"

namespace fluxgate {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::invalid_json: return "invalid_json";
        case Errc::invalid_utf8: return "invalid_utf8";
        case Errc::duplicate_key: return "duplicate_key";
        case Errc::trailing_data: return "trailing_data";
        case Errc::too_deep: return "too_deep";
        case Errc::too_many_nodes: return "too_many_nodes";
        case Errc::too_large: return "too_large";
        case Errc::missing_field: return "missing_field";
        case Errc::wrong_type: return "wrong_type";
        case Errc::contradictory: return "contradictory";
        case Errc::unsupported_version: return "unsupported_version";
        case Errc::invalid_field_set: return "invalid_field_set";
        case Errc::invalid_quantity: return "invalid_quantity";
        case Errc::invalid_yaml: return "invalid_yaml";
        case Errc::invalid_policy: return "invalid_policy";
        case Errc::not_implemented: return "not_implemented";
        case Errc::invalid_argument: return "invalid_argument";
        case Errc::invalid_certificate: return "invalid_certificate";
        case Errc::io: return "io";
        case Errc::audit_unavailable: return "audit_unavailable";
        case Errc::deadline_exceeded: return "deadline_exceeded";
        case Errc::overloaded: return "overloaded";
        case Errc::peer: return "peer";
        case Errc::internal: return "internal";
    }
    return "internal";
}

std::string to_string(const Error& error) {
    std::string text;
    if (!error.where.empty()) text += error.where + ": ";
    text += error.message;
    text += " (";
    text += to_string(error.code);
    text += ")";
    return text;
}

}  // namespace fluxgate
