# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-enroll-subject LIBS signet_enroll)
signet_unit_test(test-enroll-exchange LIBS signet_enroll)
signet_unit_test(test-enroll-check LIBS signet_enroll)
