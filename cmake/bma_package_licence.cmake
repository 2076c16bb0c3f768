# SPDX-License-Identifier: MIT
# Run by CPack between the installation of the components, each into a directory of its name, and their packing.
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} name)
  set(doc ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr/share/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME})
  # Not file(INSTALL): it would go by DESTDIR, which CPack leaves at the last component.
  file(MAKE_DIRECTORY ${doc})
  configure_file(${CPACK_RESOURCE_FILE_LICENSE} ${doc}/copyright COPYONLY)
endforeach()
