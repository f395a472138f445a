# SPDX-License-Identifier: GPL-3.0-or-later
# One static library per folder. A library's headers are reachable as "folder/name.h", and only by linking the
# library: each folder is exported alone, through a directory of its own. "edge/zone" is the library edge_zone.

function(isochrone_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  string(REPLACE "/" "_" library ${folder})
  set(exported ${CMAKE_BINARY_DIR}/headers/${library})
  cmake_path(GET folder PARENT_PATH parent)
  file(MAKE_DIRECTORY ${exported}/${parent})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${exported}/${folder} SYMBOLIC)
  add_library(${library} STATIC ${ARG_SOURCES})
  target_include_directories(${library} PUBLIC ${exported})
  target_link_libraries(${library} PUBLIC ${ARG_LINK})
endfunction()

function(isochrone_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE ISOCHRONE_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# isochrone_unit(folder SOURCES test_a.c test_b.c LINK lib...): one Criterion runner per folder.
function(isochrone_unit folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(NOT ISOCHRONE_TESTS)
    return()
  endif()
  add_executable(unit_${folder} ${ARG_SOURCES})
  # Criterion's assertion macros are not clean under the tree's strictest warnings.
  target_compile_options(unit_${folder} PRIVATE
    -Wno-cast-qual -Wno-missing-prototypes -Wno-undef -Wno-float-equal -Wno-conversion -Wno-sign-conversion
    -Wno-format-nonliteral -Wno-shadow)
  target_compile_definitions(unit_${folder} PRIVATE TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(unit_${folder} PRIVATE ${ARG_LINK} PkgConfig::CRITERION)
  add_test(NAME unit_${folder} COMMAND unit_${folder} --jobs 2)
  # A leak in a test's own process does not reach Criterion's exit code.
  set_tests_properties(unit_${folder} PROPERTIES
    ENVIRONMENT "LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp"
    FAIL_REGULAR_EXPRESSION "(ERROR|WARNING): [A-Za-z]+Sanitizer")
endfunction()

# isochrone_fuzzer(name CORPUS dir LINK lib...): fuzz_<name>.c. With ISOCHRONE_FUZZ a libFuzzer binary; otherwise a
# plain program that replays files, so that the corpus is part of every test run.
function(isochrone_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "LINK" ${ARGN})
  add_executable(fuzz_${name} fuzz_${name}.c)
  target_compile_options(fuzz_${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK})
  if(ISOCHRONE_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=0 ${ARG_CORPUS})
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${ARG_CORPUS})
  endif()
endfunction()
