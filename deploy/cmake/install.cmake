# SPDX-License-Identifier: GPL-3.0-or-later
# `cmake --install build/release`: the programs, their man pages and the image format they refer to.
include(GNUInstallDirs)

foreach(program isochrone-edge isochrone-mapper isochrone-bgp isochronectl isochrone-xdpbench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

foreach(section 1 5 8)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/deploy/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
if(EXISTS ${CMAKE_SOURCE_DIR}/maps/FORMAT.md)
  install(FILES ${CMAKE_SOURCE_DIR}/maps/FORMAT.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
