# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(test_provider_soft STATIC test-provider-soft.c)
target_link_libraries(test_provider_soft PUBLIC signet_provider)
signet_unit_test(test-provider-signature LIBS test_provider_soft)
signet_unit_test(test-provider-decrypt LIBS test_provider_soft)
