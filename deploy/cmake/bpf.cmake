# SPDX-License-Identifier: GPL-3.0-or-later
# isochrone_bpf(library name): name.bpf.c in the current folder -> verified-at-load object -> name.skel.h, which the
# sources of the library can include. Rebuilt when any header it includes changes, the cores above all.
find_program(ISOCHRONE_BPF_CLANG NAMES clang clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 REQUIRED)
find_program(ISOCHRONE_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(isochrone_bpf library name)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/skeleton/${name}.skel.h)
  add_custom_command(
    OUTPUT ${object}
    # the multi-arch folder has <asm/types.h>, which the BPF target does not look for by itself
    COMMAND ${ISOCHRONE_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -std=gnu17
      -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef -Wvla -Werror
      -I${CMAKE_BINARY_DIR}/headers/base -I${CMAKE_BINARY_DIR}/headers/maps
      -I${CMAKE_BINARY_DIR}/headers/${library}
      -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
      -MD -MF ${object}.d -MT ${object} -c ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c -o ${object}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c
    DEPFILE ${object}.d
    VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/skeleton
    COMMAND sh -c "{ echo '/* NOLINTBEGIN: generated */' && \"$1\" gen skeleton \"$2\" name \"$3\" && echo '/* NOLINTEND */'; } > \"$4.new\" && mv \"$4.new\" \"$4\"" --
      ${ISOCHRONE_BPFTOOL} ${object} ${name}_bpf ${skeleton}
    DEPENDS ${object}
    VERBATIM)
  target_sources(${library} PRIVATE ${skeleton})
  # generated code is not held to our warnings
  target_include_directories(${library} SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
endfunction()
