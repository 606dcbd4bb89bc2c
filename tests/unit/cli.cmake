# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-cli-args LIBS signet_verbs)
signet_unit_test(test-cli-style LIBS signet_verbs)
signet_unit_test(test-cli-issue LIBS signet_verbs)
