# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(token_harness STATIC ${CMAKE_CURRENT_LIST_DIR}/token-harness.c)
target_link_libraries(token_harness PUBLIC signet_token)

foreach(test channel host keys objects)
  signet_unit_test(test-token-${test} LIBS token_harness)
  add_dependencies(test-token-${test} signet-token)
endforeach()
