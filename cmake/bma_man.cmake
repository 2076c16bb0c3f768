# SPDX-License-Identifier: MIT
# Manual pages, of the comments in the public headers. A comment that does not fit what it stands above fails the build.
find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
  message(STATUS "no Python 3: no manual pages")
  return()
endif()

file(GLOB_RECURSE bma_man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/bma/*.h
  ${PROJECT_SOURCE_DIR}/tools/man/*.py ${PROJECT_SOURCE_DIR}/tools/man/*.in)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/man
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/man/pages.py ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR}/man
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man/made
  DEPENDS ${bma_man_sources} ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  COMMENT "Manual pages" VERBATIM)
add_custom_target(bma_man ALL DEPENDS ${PROJECT_BINARY_DIR}/man/made)
install(DIRECTORY ${PROJECT_BINARY_DIR}/man/man3 ${PROJECT_BINARY_DIR}/man/man7
  DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT Development)
