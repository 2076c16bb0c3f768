# SPDX-License-Identifier: MIT
# Debian packages, one for each component that has files: libbma0, libbma-dev, bma-tools. In a tree that was
# configured with -DCMAKE_INSTALL_PREFIX=/usr, for only then libraries go where Debian has them:
#	cpack -G DEB --config BUILD/CPackConfig.cmake -B WHERE
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bma)
set(CPACK_PACKAGE_VENDOR BMA)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
if(NOT CPACK_PACKAGE_CONTACT)
  set(CPACK_PACKAGE_CONTACT "BMA maintainers <bma@localhost>")
endif()

set(CPACK_COMPONENTS_ALL Runtime Development)
get_cmake_property(bma_components COMPONENTS)
if(Tools IN_LIST bma_components)
  list(APPEND CPACK_COMPONENTS_ALL Tools)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# What the files of a package are linked with; and, for the packages of others, which of ours their files are.
# While the version is 0.y another patch level may have more calls: a program wants what it was built with, or later.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libbma0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Shared library.")

# bma.pc and the CMake package look for what the static library stands on, also where the shared one is linked.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libbma-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libbma0 (= ${PROJECT_VERSION}), libc6-dev, liburcu-dev")
if(BMA_HWLOC)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libhwloc-dev")
endif()
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers, static library, pkg-config file, CMake package and manual pages.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME bma-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
# A tool that is linked with the library: that is not installed where the packages are made.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/src)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libbma0 (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "Programs that look at processes that use the library.")

# The licence goes with each package: usr/share/doc/PACKAGE/copyright.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/bma_package_licence.cmake)
include(CPack)
