# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-mime SOURCES fuzz-keys.c LIBS signet_mime)
target_include_directories(fuzz-mime SYSTEM PRIVATE ${GMIME_INCLUDE_DIRS})
signet_fuzz_target(fuzz-mime-entity SOURCES fuzz-keys.c LIBS signet_mime)
