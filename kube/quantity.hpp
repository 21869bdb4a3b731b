#pragma once

// Kubernetes resource.Quantity: "250m", "1.5Gi", "1e3". A value: 16 bytes, cheap to copy, compared exactly.
//
// Accepts what k8s.io/apimachinery's ParseQuantity accepts, with its value, oddities included: a missing number is 0
// ("m", "-", "."), `12E` is exa but `12E0` an exponent, binary values above 2^63-1 become 2^63-1. Kept in whole nano
// units; a finer part rounds up (away from zero), so that asking for something never means nothing. Decimal values
// beyond ±1.7e29, which Kubernetes keeps and no resource has, become that limit.
// https://pkg.go.dev/k8s.io/apimachinery/pkg/api/resource#Quantity

#include <compare>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate::kube {

class Quantity {
public:
    Quantity() = default;

    // Errc::invalid_quantity; `where` is empty, the caller knows it. Allocates only for the error. JSON numbers are
    // parsed as the text they are written in.
    static Result<Quantity> parse(std::string_view text);

    bool is_zero() const noexcept { return nano_ == 0; }
    bool is_negative() const noexcept { return nano_ < 0; }

    friend bool operator==(const Quantity&, const Quantity&) = default;
    friend auto operator<=>(const Quantity&, const Quantity&) = default;

    // numerator > denominator * ratio, exactly: with a denominator of 0 any positive numerator exceeds.
    friend bool ratio_exceeds(Quantity numerator, Quantity denominator, Quantity ratio) noexcept;

private:
    __extension__ using Nano = __int128;

    explicit Quantity(Nano nano) : nano_(nano) {}

    Nano nano_ = 0;
};

bool ratio_exceeds(Quantity numerator, Quantity denominator, Quantity ratio) noexcept;

}  // namespace fluxgate::kube
