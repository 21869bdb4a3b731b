#include "kube/image_reference.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

const std::string kSha256(64, 'a');
const std::string kSha512(128, 'b');

}  // namespace

TEST_CASE("an image reference has a registry, a repository, a tag and a digest") {
    struct Row {
        std::string text;
        std::string full_name;
        std::string tag;
        std::string digest;
    };
    const Row rows[] = {
        {"nginx", "docker.io/library/nginx", "", ""},
        {"nginx:1.27", "docker.io/library/nginx", "1.27", ""},
        {"nginx:1.27@sha256:" + kSha256, "docker.io/library/nginx", "1.27", "sha256:" + kSha256},
        {"nginx@sha512:" + kSha512, "docker.io/library/nginx", "", "sha512:" + kSha512},
        {"bitnami/redis", "docker.io/bitnami/redis", "", ""},
        {"docker.io/nginx", "docker.io/library/nginx", "", ""},
        {"index.docker.io/nginx", "docker.io/library/nginx", "", ""},
        {"index.docker.io/bitnami/redis:7", "docker.io/bitnami/redis", "7", ""},
        {"registry:5000/nginx", "registry:5000/nginx", "", ""},
        {"registry:5000/nginx:2", "registry:5000/nginx", "2", ""},
        {"registry:5000", "docker.io/library/registry", "5000", ""},
        {"localhost/nginx", "localhost/nginx", "", ""},
        {"localhost", "docker.io/library/localhost", "", ""},
        {"team/web", "docker.io/team/web", "", ""},
        {"myacr.azurecr.io/team/web:v1", "myacr.azurecr.io/team/web", "v1", ""},
        {"MyAcr.azurecr.io/team/web:V1", "MyAcr.azurecr.io/team/web", "V1", ""},
        {"[::1]:5000/web", "[::1]:5000/web", "", ""},
        {"10.0.0.1/web", "10.0.0.1/web", "", ""},
        {"a.b/c_d/e__f/g---h/i.j:_x", "a.b/c_d/e__f/g---h/i.j", "_x", ""},
        {"web@sha256+b64u.x:" + std::string(32, '0'), "docker.io/library/web", "", "sha256+b64u.x:" + std::string(32, '0')},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto image = ImageReference::parse(row.text);
        REQUIRE(image.has_value());
        CHECK(image->full_name() == row.full_name);
        CHECK(image->tag == row.tag);
        CHECK(image->digest == row.digest);
    }
}

TEST_CASE("what is no image reference says why") {
    struct Row {
        std::string text;
        std::string_view says;
    };
    const Row rows[] = {
        {"", "is empty"},
        {" ", "has a space"},
        {"nginx ", "has a space"},
        {"nginx\n", "has a space"},
        {"${IMAGE}", "has a variable"},
        {"myacr.azurecr.io/web:${TAG}", "has a variable"},
        {"$(IMAGE)", "has a variable"},
        {"{{ .Values.image }}", "has a variable"},
        {"https://myacr.azurecr.io/web", "is a URL"},
        {"Nginx", "has capitals"},
        {"Team/web", "has capitals"},
        {"myacr.azurecr.io/Team/web", "has capitals"},
        {"nginx:", "has a tag"},
        {"nginx:-1", "has a tag"},
        {"nginx:a:b", "has a repository"},
        {"nginx:" + std::string(129, 'a'), "has a tag"},
        {":latest", "has a repository"},
        {"nginx@", "has a digest"},
        {"nginx@sha256", "has a digest"},
        {"nginx@sha256:abc", "has a digest"},
        {"nginx@sha256:" + std::string(64, 'A'), "has a digest"},
        {"nginx@sha256:" + std::string(64, 'g'), "has a digest"},
        {"nginx@sha256:" + std::string(128, 'a'), "has a digest"},
        {"nginx@sha512:" + kSha256, "has a digest"},
        {"nginx@1x:" + kSha256, "has a digest"},
        {"nginx@other:" + std::string(31, 'a'), "has a digest"},
        {"nginx@sha256:" + kSha256 + "@sha256:" + kSha256, "has a digest"},
        {"user@host.example.com/web", "has a digest"},
        {"@sha256:" + kSha256, "has a repository"},
        {"myacr.azurecr.io/", "has a repository"},
        {"myacr.azurecr.io//web", "has a repository"},
        {"/web", "has a repository"},
        {"web/", "has a repository"},
        {"team/web_", "has a repository"},
        {"team/we___b", "has a repository"},
        {"team/we..b", "has a repository"},
        {"team/-web", "has a repository"},
        {"web?", "has a repository"},
        {"w\xc3\xa4", "has a repository"},
        {"team/" + std::string(251, 'a'), "more than 255"},
        {kSha256, "is an id"},
        {"a..b/web", "has a registry"},
        {"myacr.azurecr.io./web", "has a registry"},
        {"-a.b/web", "has a registry"},
        {"a.b:/web", "has a registry"},
        {"a.b:5x/web", "has a registry"},
        {"[::1/web", "has a registry"},
        {"[::1]5000/web", "has a registry"},
        {"[]:5000/web", "has a registry"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto image = ImageReference::parse(row.text);
        REQUIRE_FALSE(image.has_value());
        CHECK(image.error().code == Errc::invalid_argument);
        INFO(image.error().message);
        CHECK(image.error().message.find(row.says) != std::string::npos);
    }
}

TEST_CASE("a prefix covers whole components only") {
    struct Row {
        std::string_view prefix;
        std::string_view image;
        bool covers;
    };
    const Row rows[] = {
        {"myacr.azurecr.io", "myacr.azurecr.io/web", true},
        {"myacr.azurecr.io", "myacr.azurecr.io/team/web:1", true},
        {"myacr.azurecr.io", "MYACR.azurecr.IO/web", true},
        {"MyAcr.azurecr.io", "myacr.azurecr.io/web", true},
        {"myacr.azurecr.io", "myacr.azurecr.io.evil.com/web", false},
        {"myacr.azurecr.io", "evil-myacr.azurecr.io/web", false},
        {"myacr.azurecr.io", "myacr.azurecr.io:443/web", false},
        {"myacr.azurecr.io", "web", false},
        {"myacr.azurecr.io", "evil.com/myacr.azurecr.io/web", false},
        {"myacr.azurecr.io:5000", "myacr.azurecr.io:5000/web", true},
        {"myacr.azurecr.io:5000", "myacr.azurecr.io/web", false},
        {"myacr.azurecr.io/team", "myacr.azurecr.io/team", true},
        {"myacr.azurecr.io/team", "myacr.azurecr.io/team/web", true},
        {"myacr.azurecr.io/team", "myacr.azurecr.io/team2/web", false},
        {"myacr.azurecr.io/team", "myacr.azurecr.io/tea", false},
        {"myacr.azurecr.io/team", "myacr.azurecr.io/other/team", false},
        {"docker.io", "nginx", true},
        {"docker.io", "bitnami/redis", true},
        {"docker.io", "index.docker.io/nginx", true},
        {"index.docker.io", "nginx", true},
        {"docker.io/library", "nginx", true},
        {"docker.io/library", "docker.io/nginx", true},
        {"docker.io/library", "library/nginx", true},
        {"docker.io/library", "bitnami/redis", false},
        {"docker.io/library/nginx", "nginx:1", true},
        {"docker.io/library/nginx", "nginx2", false},
        {"docker.io/library2", "nginx", false},
        {"docker.io/lib", "nginx", false},
        {"docker.io/nginx", "nginx", false},  // the account nginx, not the image
        {"docker.io/nginx", "nginx/nginx-ingress", true},
        {"*.azurecr.io", "myacr.azurecr.io/web", true},
        {"*.azurecr.io", "a.b.azurecr.io/web", false},
        {"*.azurecr.io", "azurecr.io/web", false},
        {"*.azurecr.io", "myacr.azurecr.io.evil.com/web", false},
        {"*.azurecr.io", "evilazurecr.io/web", false},
        {"*.azurecr.io", "myacr.azurecr.io:443/web", false},
        {"*.azurecr.io/team", "myacr.azurecr.io/team/web", true},
        {"*.azurecr.io/team", "myacr.azurecr.io/web", false},
        {"localhost", "localhost/web", true},
    };
    for (const Row& row : rows) {
        INFO(row.prefix << " " << row.image);
        const auto prefix = ImagePrefix::parse(row.prefix);
        const auto image = ImageReference::parse(row.image);
        REQUIRE(prefix.has_value());
        REQUIRE(image.has_value());
        CHECK(prefix->text() == row.prefix);
        CHECK(prefix->covers(*image) == row.covers);
    }
}

TEST_CASE("what is no prefix of images says why") {
    struct Row {
        std::string_view text;
        std::string_view says;
    };
    const Row rows[] = {
        {"", "does not begin with a registry"},
        {"nginx", "does not begin with a registry"},
        {"team/web", "does not begin with a registry"},
        {"*", "only the first label"},
        {"my*.azurecr.io", "only the first label"},
        {"*.*.io", "only the first label"},
        {"*.", "no host name"},
        {"a..io", "no host name"},
        {"https://myacr.azurecr.io", "no host name"},
        {"myacr.azurecr.io/", "has a path"},
        {"myacr.azurecr.io/Team", "has a path"},
        {"myacr.azurecr.io/*", "has a path"},
        {"myacr.azurecr.io/web:1", "without tag and digest"},
        {"myacr.azurecr.io/web@sha256:1", "without tag and digest"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto prefix = ImagePrefix::parse(row.text);
        REQUIRE_FALSE(prefix.has_value());
        INFO(prefix.error().message);
        CHECK(prefix.error().message.find(row.says) != std::string::npos);
    }
}
