# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(token_harness STATIC ${CMAKE_CURRENT_LIST_DIR}/token-harness.c
  ${CMAKE_CURRENT_LIST_DIR}/token-transfer-harness.c)
target_link_libraries(token_harness PUBLIC signet_token)

add_library(token-faulty-module MODULE ${CMAKE_CURRENT_LIST_DIR}/token-faulty-module.c)
target_link_libraries(token-faulty-module
  PRIVATE signet_flags PkgConfig::GLIB PkgConfig::P11KIT ${CMAKE_DL_LIBS})
set_target_properties(token-faulty-module PROPERTIES PREFIX ""
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_library(token-trust-module MODULE ${CMAKE_CURRENT_LIST_DIR}/token-trust-module.c)
target_link_libraries(token-trust-module
  PRIVATE signet_flags PkgConfig::GLIB PkgConfig::P11KIT ${CMAKE_DL_LIBS})
set_target_properties(token-trust-module PROPERTIES PREFIX ""
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

foreach(test channel der erase faults host import keys nss objects roots transfer)
  signet_unit_test(test-token-${test} LIBS token_harness)
  add_dependencies(test-token-${test} signet-token token-faulty-module
    token-trust-module)
endforeach()
set_property(TEST test-token-faults APPEND PROPERTY LABELS slow) # deadlines that must pass
