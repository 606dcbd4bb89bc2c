# SPDX-License-Identifier: LGPL-2.1-or-later
[profile]
name=opensc
description=OpenSC (smartcards and USB keys)

[module]
files=opensc-pkcs11.so;
package=opensc-pkcs11

[token]
# A card does one thing at a time, and the module takes one lock for all readers in each call.
operations=1
sessions=8
lock=module
# The PINs of one card are counted by the card, whichever of its tokens they are tried on.
pin-scope=device
pin-max=3

[key]
# Most cards do the bare RSA operation; OpenSC pads OAEP itself for SHA-1 on all of them.
oaep=sha1;
raw-rsa=yes
wrap=no

[deadline]
# RSA-4096 on an old card takes seconds; a touch or a PIN pad takes a person.
operation=60000
generate=180000
start=20000
