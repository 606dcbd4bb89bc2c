# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-sandbox-ca LIBS signet_sandbox)
signet_unit_test(test-sandbox-person LIBS signet_sandbox)
signet_unit_test(test-sandbox-place LIBS signet_sandbox)
