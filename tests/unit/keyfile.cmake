# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(keyfile_world STATIC keyfile-craft.c keyfile-world.c)
target_link_libraries(keyfile_world PUBLIC signet_keyfile)
foreach(file forms hostile made pkcs12)
  signet_unit_test(test-keyfile-${file} LIBS keyfile_world)
endforeach()
set_property(TEST test-keyfile-pkcs12 APPEND PROPERTY LABELS slow) # certtool's and NSS's iterations

# For the integration test of import: several keys in one PKCS #12 file.
add_executable(p12-many p12-many.c)
target_link_libraries(p12-many PRIVATE signet_flags PkgConfig::CRYPTO)
set_target_properties(p12-many PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
