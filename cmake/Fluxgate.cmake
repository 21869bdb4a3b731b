# What every target of the tree shares: flags, the folder-is-a-library rule, embedded files.

set(FLUXGATE_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")

function(fluxgate_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -Wrestrict: g++ 12 sees an overlap in `"text" + std::string` that is not there (GCC bug 105651).
    target_compile_options(${target} PRIVATE -fcoroutines -Wno-restrict)
  endif()
  if(FLUXGATE_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${FLUXGATE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # With sanitizers g++ 12 sees uninitialized values in Catch2 and the standard library that are not there.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
    target_link_options(${target} PUBLIC -fsanitize=${FLUXGATE_SANITIZE})
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${target} PRIVATE -fstack-protector-strong -D_FORTIFY_SOURCE=2)
    target_link_options(${target} PUBLIC -Wl,-z,relro,-z,now -pie)
  endif()
  if(FLUXGATE_FUZZ)
    target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# fluxgate_library(policy LINK PUBLIC … PRIVATE …): every .cpp below the folder, except sub-folders that are libraries of
# their own and a file named main.cpp. kube/client becomes fluxgate_kube_client.
function(fluxgate_library folder)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  foreach(library IN ITEMS kube/client audit/remote)
    if(NOT folder STREQUAL library)
      list(FILTER sources EXCLUDE REGEX "/${library}/")
    endif()
  endforeach()
  string(REPLACE "/" "_" target fluxgate_${folder})
  add_library(${target} STATIC ${sources})
  fluxgate_compile_options(${target})
  target_link_libraries(${target} ${ARG_LINK})
endfunction()

# fluxgate_embed_folder(TARGET NAME n FOLDER f PATTERN p): the files become `fluxgate::embedded::n()`, see
# cmake/embed.cmake. Made at build time, again whenever a file changes.
function(fluxgate_embed_folder target)
  cmake_parse_arguments(ARG "" "NAME;FOLDER;PATTERN" "" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/${ARG_PATTERN})
  set(out ${CMAKE_BINARY_DIR}/embedded/${ARG_NAME}.S)
  set(out_cpp ${CMAKE_BINARY_DIR}/embedded/${ARG_NAME}.cpp)
  add_custom_command(OUTPUT ${out} ${out_cpp}
    COMMAND ${CMAKE_COMMAND} -DNAME=${ARG_NAME} "-DFILES=${files}" -DOUT=${out} -DOUT_CPP=${out_cpp} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out} ${out_cpp})
endfunction()

enable_language(ASM)
