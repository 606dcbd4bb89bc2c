# SPDX-License-Identifier: LGPL-2.1-or-later
[profile]
name=tpm2
description=TPM 2.0 (tpm2-pkcs11)

[module]
files=libtpm2_pkcs11.so.1;libtpm2_pkcs11.so;
package=libtpm2-pkcs11-1

[token]
operations=1
sessions=8
lock=token
# Wrong PINs count in the TPM's dictionary attack lock: three lock every token on it.
pin-scope=tpm
pin-max=3
# Every token has the same serial.
blank-serial=yes

[key]
oaep=sha1;sha256;
raw-rsa=no
wrap=no

[deadline]
operation=30000
generate=180000
start=15000
