# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-mime-from LIBS signet_mime)
signet_unit_test(test-mime-split LIBS signet_mime)
signet_unit_test(test-mime-read LIBS signet_mime)
target_sources(test-mime-read PRIVATE test-cms-soft.c)
