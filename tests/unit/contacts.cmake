# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-contacts-seen LIBS signet_contacts)
target_sources(test-contacts-seen PRIVATE test-cms-soft.c)
