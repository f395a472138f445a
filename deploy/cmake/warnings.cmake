# SPDX-License-Identifier: GPL-3.0-or-later
# The warning list of the tree; gcc 12 and clang 14 or newer both pass it with -Werror.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align -Wswitch-enum
  -Wformat=2 -Wundef -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition
  -Wpointer-arith -Wwrite-strings -Wdate-time -Wunused -Wnull-dereference -Wfloat-equal
  -fno-common -fno-strict-aliasing -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wtrampolines)
endif()
if(ISOCHRONE_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  # gcc 12 sees null dereferences that cannot happen once it inlines at -O2.
  add_compile_options(-Wno-null-dereference)
  add_link_options(-Wl,-z,relro,-z,now)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
# Lookups count bits at every level: with a population count instruction (all x86-64 processors since 2009) that is one
# instruction. Empty: the compiler's own baseline.
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(march_default x86-64-v2)
endif()
set(ISOCHRONE_MARCH "${march_default}" CACHE STRING "Value for -march=, empty for the compiler's baseline")
if(ISOCHRONE_MARCH)
  add_compile_options(-march=${ISOCHRONE_MARCH})
endif()
if(ISOCHRONE_SANITIZE)
  add_compile_options(-fsanitize=${ISOCHRONE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ISOCHRONE_SANITIZE})
  if(ISOCHRONE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  # Sanitizer instrumentation makes gcc's flow analysis report impossible paths.
  add_compile_options(-Wno-null-dereference)
endif()
if(ISOCHRONE_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "ISOCHRONE_FUZZ needs clang (preset fuzz)")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link -O1)
endif()
