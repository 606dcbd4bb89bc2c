# SPDX-License-Identifier: LGPL-2.1-or-later
add_executable(daemon-fake-host daemon-fake-host.c)
target_link_libraries(daemon-fake-host PRIVATE signet_wire)
set_target_properties(daemon-fake-host PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_library(daemon_world STATIC daemon-world.c)
target_link_libraries(daemon_world PUBLIC signet_wire)

foreach(name connection lifecycle hosts pins prompt soft)
  signet_unit_test(test-daemon-${name} LIBS daemon_world LABELS daemon)
  add_dependencies(test-daemon-${name} signetd daemon-fake-host)
endforeach()
add_dependencies(test-daemon-soft signet-token)
target_link_libraries(test-daemon-pins PRIVATE signet_daemon)
