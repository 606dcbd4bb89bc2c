# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-trust-chain LIBS signet_trust signet_cms)
target_sources(test-trust-chain PRIVATE test-cms-soft.c)
signet_unit_test(test-trust-judge LIBS signet_trust)
