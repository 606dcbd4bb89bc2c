# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(test_client_server STATIC test-client-server.c)
target_link_libraries(test_client_server PUBLIC signet_wire)
signet_unit_test(test-client-call LIBS signet_client test_client_server)
signet_unit_test(test-client-unlock LIBS signet_client test_client_server)
signet_unit_test(test-client-key LIBS signet_client test_client_server)
