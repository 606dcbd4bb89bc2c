# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-transfer-plan LIBS signet_transfer)
target_sources(test-transfer-plan PRIVATE transfer-certs.c)
signet_unit_test(test-transfer-source LIBS signet_transfer)
signet_unit_test(test-transfer-scan LIBS signet_transfer)
target_sources(test-transfer-scan PRIVATE transfer-certs.c)
