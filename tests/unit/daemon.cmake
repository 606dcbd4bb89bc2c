# SPDX-License-Identifier: LGPL-2.1-or-later
add_executable(daemon-fake-host daemon-fake-host.c daemon-fake-many.c)
target_link_libraries(daemon-fake-host PRIVATE signet_wire)
set_target_properties(daemon-fake-host PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_library(daemon-clock MODULE daemon-clock.c)
target_link_libraries(daemon-clock PRIVATE signet_flags)
set_target_properties(daemon-clock PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_library(daemon_world STATIC daemon-world.c)
target_link_libraries(daemon_world PUBLIC signet_wire)

foreach(name connection lifecycle hosts memory pins prompt soft transfer)
  signet_unit_test(test-daemon-${name} LIBS daemon_world LABELS daemon)
  add_dependencies(test-daemon-${name} signetd daemon-fake-host)
endforeach()
add_dependencies(test-daemon-soft signet-token)
set_property(TEST test-daemon-connection APPEND PROPERTY LABELS slow) # it waits for deadlines to pass
# libsignet as programs have it: its own functions are called as those of daemon_world.
signet_unit_test(test-daemon-real LIBS daemon_world signet_shared LABELS daemon)
add_dependencies(test-daemon-real signetd signet-token token-faulty-module)
target_link_libraries(test-daemon-pins PRIVATE signet_daemon)
add_dependencies(test-daemon-pins daemon-clock)

# The daemon, and the fake host that it starts, under valgrind (./check's stage of that name).
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT SIGNET_SANITIZE)
  foreach(name connection lifecycle hosts pins prompt memory transfer)
    # A host that crashes is started anew in time, which is too short for one in valgrind.
    set(skip --trace-children-skip=*/none)
    if(name MATCHES "^(hosts|pins|transfer)$")
      set(skip --trace-children-skip=*/signet-token)
    endif()
    add_test(NAME valgrind-daemon-${name}
      COMMAND ${VALGRIND} --quiet --trace-children=yes --error-exitcode=99 --leak-check=full
        --errors-for-leak-kinds=definite ${skip}
        $<TARGET_FILE:test-daemon-${name}> --tap)
    set_tests_properties(valgrind-daemon-${name} PROPERTIES LABELS "valgrind" TIMEOUT 300
      ENVIRONMENT "SIGNET_TEST_SOURCE=${CMAKE_SOURCE_DIR};SIGNET_TEST_BUILD=${CMAKE_BINARY_DIR};SIGNET_TEST_VALGRIND=1")
  endforeach()
endif()
