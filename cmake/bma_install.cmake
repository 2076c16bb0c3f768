# SPDX-License-Identifier: MIT
# What `cmake --install` brings: headers, the shared library by its SONAME, the static one, bma.pc and
# the CMake package. Component Runtime is what a program needs to run, Tools the programs that look at
# one (`install(... COMPONENT Tools)`, beside them), Development all of the rest.
# Nothing in the installed files says where they lie: the prefix may be moved.
set(bma_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bma)

install(TARGETS bma bma_static EXPORT bma
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Runtime NAMELINK_COMPONENT Development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/bma DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT Development FILES_MATCHING PATTERN "*.h")

install(EXPORT bma FILE bmaTargets.cmake NAMESPACE bma:: DESTINATION ${bma_cmake_dir}
  COMPONENT Development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/bmaConfig.cmake.in
  ${PROJECT_BINARY_DIR}/bmaConfig.cmake INSTALL_DESTINATION ${bma_cmake_dir}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# As the SONAME: while the version is 0.y, another y is another interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/bmaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bmaConfig.cmake ${PROJECT_BINARY_DIR}/bmaConfigVersion.cmake
  DESTINATION ${bma_cmake_dir} COMPONENT Development)

# The way from bma.pc to the prefix; a directory that was given as an absolute path stays where it is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  string(REPLACE " " "\\ " bma_pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH bma_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" /)
  string(REGEX REPLACE "/$" "" bma_pc_prefix "\${pcfiledir}/${bma_pc_prefix}")
endif()
set(bma_pc_libdir "\${prefix}")
cmake_path(APPEND bma_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
set(bma_pc_includedir "\${prefix}")
cmake_path(APPEND bma_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
# pkg-config takes these apart at spaces; those of ${pcfiledir} it minds itself.
string(REPLACE " " "\\ " bma_pc_libdir "${bma_pc_libdir}")
string(REPLACE " " "\\ " bma_pc_includedir "${bma_pc_includedir}")
# For the static library. hwloc by its library and not under Requires.private: hwloc's own file then asks
# for -ludev, which Debian's package does not bring; the shared libhwloc finds what it needs by itself.
# nodelete, for plugins that the static library is linked into: as for the shared one, see src/CMakeLists.txt.
set(bma_pc_libs_private "-pthread -Wl,-z,nodelete")
if(BMA_HWLOC)
  # Directories that every compiler searches are not worth naming.
  set(bma_hwloc_flags ${bma_hwloc_LDFLAGS})
  list(TRANSFORM CMAKE_C_IMPLICIT_LINK_DIRECTORIES PREPEND -L OUTPUT_VARIABLE bma_searched)
  list(REMOVE_ITEM bma_hwloc_flags ${bma_searched})
  list(JOIN bma_hwloc_flags " " bma_hwloc_flags)
  string(APPEND bma_pc_libs_private " ${bma_hwloc_flags}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/bma.pc.in ${PROJECT_BINARY_DIR}/bma.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bma.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT Development)
