# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(keyfile_world STATIC keyfile-craft.c keyfile-world.c)
target_link_libraries(keyfile_world PUBLIC signet_keyfile)
foreach(file forms hostile made pkcs12)
  signet_unit_test(test-keyfile-${file} LIBS keyfile_world)
endforeach()
set_property(TEST test-keyfile-pkcs12 APPEND PROPERTY LABELS slow) # certtool's and NSS's iterations
