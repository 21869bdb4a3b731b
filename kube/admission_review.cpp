#include "kube/admission_review.hpp"

#include <algorithm>

namespace fluxgate::kube {

namespace {

// A uid is echoed into our answer and our log: Kubernetes sends a UUID.
bool is_uid(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
    });
}

// Reads the fields of one object and remembers the first problem, so that the reading code stays a list.
class Fields {
public:
    Fields(Json object, std::string_view pointer) : object_(object), pointer_(pointer) {}

    std::string_view required(std::string_view key) {
        const Json value = object_[key];
        if (value.absent_or_null()) note(Errc::missing_field, key, "is missing");
        const auto text = value.string();
        if (!value.absent_or_null() && !text) note(Errc::wrong_type, key, "must be a string");
        return text.value_or(std::string_view{});
    }
    std::string_view required_not_empty(std::string_view key) {
        const std::string_view text = required(key);
        if (text.empty()) note(Errc::missing_field, key, "is empty");
        return text;
    }
    std::string_view optional(std::string_view key) {
        const Json value = object_[key];
        if (!value.absent_or_null() && !value.is_string()) note(Errc::wrong_type, key, "must be a string");
        return value.text();
    }
    bool optional_boolean(std::string_view key) {
        const Json value = object_[key];
        if (!value.absent_or_null() && !value.boolean()) note(Errc::wrong_type, key, "must be true or false");
        return value.is_true();
    }
    Json required_object(std::string_view key) {
        const Json value = object_[key];
        if (value.absent_or_null())
            note(Errc::missing_field, key, "is missing");
        else if (!value.is_object())
            note(Errc::wrong_type, key, "must be an object");
        return value;
    }
    Json optional_object(std::string_view key) {
        const Json value = object_[key];
        if (value.absent_or_null()) return {};
        if (!value.is_object()) note(Errc::wrong_type, key, "must be an object");
        return value;
    }
    // An array of strings, or absent.
    Json optional_strings(std::string_view key) {
        const Json value = object_[key];
        if (value.absent_or_null()) return {};
        bool good = value.is_array();
        value.each_item([&](Json item) { good = good && item.is_string(); });
        if (!good) note(Errc::wrong_type, key, "must be an array of strings");
        return value;
    }
    void note(Errc code, std::string_view key, std::string_view what) {
        if (error_.code != Errc::internal) return;
        error_ = Error{code, std::string(key) + " " + std::string(what), std::string(pointer_) + "/" + std::string(key)};
    }
    bool good() const { return error_.code == Errc::internal; }
    const Error& error() const { return error_; }

private:
    Json object_;
    std::string_view pointer_;
    Error error_;
};

struct ExpectedObjects {
    bool object;
    bool old_object;
};

constexpr ExpectedObjects expected_objects(Operation operation) {
    switch (operation) {
        case Operation::create: return {true, false};
        case Operation::update: return {true, true};
        case Operation::remove: return {false, true};
        case Operation::connect: return {true, false};
    }
    return {true, true};
}

// Where request and object both say something, they must say the same: else two readers would judge two things.
void compare_with_object(const Review& review, Json object, std::string_view field, Fields& request) {
    if (object.absent_or_null()) return;
    const Json kind = object["kind"];
    if (kind.is_string() && kind.text() != review.kind.kind)
        request.note(Errc::contradictory, field, "is of another kind than the request says");
    const Json metadata = object["metadata"];
    if (!metadata.absent_or_null() && !metadata.is_object()) request.note(Errc::wrong_type, field, "has metadata that is no object");
    const std::string_view name = metadata["name"].text();
    if (!name.empty() && !review.name.empty() && review.sub_resource.empty() && name != review.name) {
        request.note(Errc::contradictory, field, "has another name than the request says");
    }
    const std::string_view namespace_name = metadata["namespace"].text();
    if (!namespace_name.empty() && namespace_name != review.namespace_name) {
        request.note(Errc::contradictory, field, "is in another namespace than the request says");
    }
}

std::optional<Operation> parse_operation(std::string_view text) {
    if (text == "CREATE") return Operation::create;
    if (text == "UPDATE") return Operation::update;
    if (text == "DELETE") return Operation::remove;
    if (text == "CONNECT") return Operation::connect;
    return std::nullopt;
}

void read_objects(Review& review, Fields& request) {
    review.object = request.optional_object("object");
    review.old_object = request.optional_object("oldObject");
    const auto expected = expected_objects(review.operation);
    if (expected.object != review.object.present()) {
        request.note(Errc::contradictory, "object", expected.object ? "is missing for this operation" : "must be null for DELETE");
    }
    if (expected.old_object != review.old_object.present()) {
        request.note(Errc::contradictory, "oldObject",
                     expected.old_object ? "is missing for this operation" : "must be null for this operation");
    }
    compare_with_object(review, review.object, "object", request);
    compare_with_object(review, review.old_object, "oldObject", request);
}

}  // namespace

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::create: return "CREATE";
        case Operation::update: return "UPDATE";
        case Operation::remove: return "DELETE";
        case Operation::connect: return "CONNECT";
    }
    return "?";
}

bool UserInfo::in_group(std::string_view group) const {
    bool found = false;
    groups.each_item([&](Json item) { found = found || item.text() == group; });
    return found;
}

std::string_view UserInfo::extra_value(std::string_view key) const {
    std::string_view first;
    extra[key].each_item([&](Json item) {
        if (first.empty()) first = item.text();
    });
    return first;
}

std::string Review::object_name() const {
    if (!name.empty()) return std::string(name);
    const Json metadata = newest()["metadata"];
    if (const std::string_view text = metadata["name"].text(); !text.empty()) return std::string(text);
    if (const std::string_view prefix = metadata["generateName"].text(); !prefix.empty()) return std::string(prefix) + "*";
    return {};
}

bool Review::carries_labels() const {
    return operation != Operation::connect &&
           (sub_resource.empty() || sub_resource == "status" || sub_resource == "ephemeralcontainers" || sub_resource == "resize");
}

std::string Review::resource_name() const {
    std::string text(resource.resource);
    if (!resource.group.empty()) text.append(".").append(resource.group);
    if (!sub_resource.empty()) text.append("/").append(sub_resource);
    return text;
}

tl::expected<Review, UnreadableReview> ReviewReader::read(std::string_view body) {
    const auto document = json_.read(body);
    if (!document) {
        const std::string_view uid = json_.refused_document()["request"]["uid"].text();
        return tl::unexpected(UnreadableReview{document.error(), is_uid(uid) ? std::string(uid) : std::string()});
    }
    const auto unreadable = [](const Error& error, std::string_view uid) {
        return tl::unexpected(UnreadableReview{error, is_uid(uid) ? std::string(uid) : std::string()});
    };
    if (!document->is_object()) {
        return unreadable({Errc::wrong_type, "expected an AdmissionReview object, have " + std::string(document->type_name()), ""}, {});
    }

    const Json uid = (*document)["request"]["uid"];
    Fields envelope(*document, "");
    const std::string_view api_version = envelope.required("apiVersion");
    const std::string_view kind = envelope.required("kind");
    if (envelope.good() && (api_version != "admission.k8s.io/v1" || kind != "AdmissionReview")) {
        envelope.note(Errc::unsupported_version, "apiVersion", "and kind must be admission.k8s.io/v1 AdmissionReview");
    }
    const Json request_object = envelope.required_object("request");
    if (!envelope.good()) return unreadable(envelope.error(), uid.text());

    Review review;
    Fields request(request_object, "/request");
    review.uid = request.required("uid");
    if (!is_uid(review.uid)) request.note(Errc::wrong_type, "uid", "must be 1 to 128 letters, digits, '-', '_' or '.'");

    Fields kind_fields(request.required_object("kind"), "/request/kind");
    review.kind = {kind_fields.optional("group"), kind_fields.required_not_empty("version"), kind_fields.required_not_empty("kind")};
    Fields resource_fields(request.required_object("resource"), "/request/resource");
    review.resource = {resource_fields.optional("group"), resource_fields.required_not_empty("version"),
                       resource_fields.required_not_empty("resource")};

    review.sub_resource = request.optional("subResource");
    review.name = request.optional("name");
    review.namespace_name = request.optional("namespace");
    review.dry_run = request.optional_boolean("dryRun");
    const auto operation = parse_operation(request.required("operation"));
    if (!operation) request.note(Errc::wrong_type, "operation", "must be CREATE, UPDATE, DELETE or CONNECT");
    review.operation = operation.value_or(Operation::create);

    Fields user(request.required_object("userInfo"), "/request/userInfo");
    review.user.username = user.optional("username");
    review.user.uid = user.optional("uid");
    review.user.groups = user.optional_strings("groups");
    review.user.extra = user.optional_object("extra");

    Fields options(request.optional_object("options"), "/request/options");
    review.field_manager = options.optional("fieldManager");

    for (const Fields* fields : {&request, &kind_fields, &resource_fields, &user, &options}) {
        if (!fields->good()) return unreadable(fields->error(), review.uid);
    }
    read_objects(review, request);
    if (!request.good()) return unreadable(request.error(), review.uid);
    // A Namespace is in itself, whether or not the request says so: a lock on a namespace covers its Namespace object.
    if (review.namespace_name.empty() && review.resource.group.empty() && review.resource.resource == "namespaces") {
        review.namespace_name = review.name.empty() ? review.newest()["metadata"]["name"].text() : review.name;
    }
    return review;
}

}  // namespace fluxgate::kube
