#pragma once

// What a fuzz target demands of the code it runs. Ends the process, so that libFuzzer keeps the input.

#include <cstdio>
#include <cstdlib>

#define FLUXGATE_REQUIRE(condition)                                                        \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            std::fprintf(stderr, "%s:%d: required: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                  \
        }                                                                                  \
    } while (false)
