# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(test_daemon_catalogue_lib STATIC test-daemon-catalogue-lib.c)
target_link_libraries(test_daemon_catalogue_lib PUBLIC signet_catalogue)
signet_unit_test(test-daemon-catalogue LIBS test_daemon_catalogue_lib)
signet_unit_test(test-daemon-catalogue-choose LIBS test_daemon_catalogue_lib)
signet_unit_test(test-daemon-catalogue-file LIBS test_daemon_catalogue_lib)
signet_unit_test(test-daemon-catalogue-rules LIBS test_daemon_catalogue_lib)
