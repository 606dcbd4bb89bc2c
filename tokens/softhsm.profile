# SPDX-License-Identifier: LGPL-2.1-or-later
[profile]
name=softhsm
description=SoftHSM 2 (a token in software)

[module]
files=libsofthsm2.so;
package=softhsm2

[token]
# Any number at once; it has no limit of its own.
operations=64
sessions=65
lock=token
pin-scope=token
# Counts no wrong PINs and never blocks.
pin-max=0

[key]
# 2.6.1: only SHA-1 is right; with other hashes C_Decrypt succeeds with garbage.
oaep=sha1;
raw-rsa=yes
wrap=yes

[deadline]
operation=30000
generate=180000
start=15000
