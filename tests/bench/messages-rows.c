/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "messages.h"

/* All run in the sandbox's folder, so that names are short. openssl has its key in a file, gpgsm
 * in its own store: at these sizes a token's signature of a millisecond is nothing. openssl
 * with the options that make it fast: -binary, and -stream where it encrypts.
 *
 * Two encodings of the same: definite lengths, as signet writes where it knows the length (and
 * gpgsm's reader likes), and what `openssl cms -stream` writes: indefinite lengths, 4 KiB a piece. */

#define SIGNET_OPEN "signet decrypt --cms der "
#define SIGNET_SEAL "signet encrypt --cms der --no-self --to bench-rsa.pem plain.eml --cipher "
#define SIGNET_SIGN "signet sign --id " MESSAGE_ADDRESS " plain.eml"
#define OPENSSL_KEYS "-inkey bench-rsa.key -recip bench-rsa.pem "
#define OPENSSL_OPEN "openssl cms -decrypt -binary -inform DER " OPENSSL_KEYS "-in "
#define OPENSSL_SEAL \
  "openssl cms -encrypt -binary -stream -outform DER -in plain.eml -recip bench-rsa.pem "
#define OPENSSL_SIGN \
  "openssl cms -sign -md sha256 -signer bench-rsa.pem -inkey bench-rsa.key -in plain.eml"
#define OPENSSL_CHECK "openssl cms -verify -CAfile bench-rsa.pem -out /dev/null "
#define GPGSM "gpgsm --batch --quiet "
#define GPGSM_SEAL GPGSM "--cipher-algo AES256 --encrypt -r " MESSAGE_ADDRESS " plain.eml"

#define NO_MAIL "it neither writes nor reads mail"
#define NO_GCM "it does not know AES-GCM"
#define NO_OTHER "a limit"

const MessageRowKind message_rows[N_MESSAGE_ROWS] = {
  [MESSAGE_SIGN] = { "sign multipart/signed",
                     { SIGNET_SIGN, OPENSSL_SIGN },
                     { [MESSAGE_GPGSM] = NO_MAIL },
                     TRUE },
  [MESSAGE_VERIFY] = { "verify multipart/signed",
                       { "signet verify signed.eml", OPENSSL_CHECK "-in signed.eml" },
                       { [MESSAGE_GPGSM] = NO_MAIL },
                       FALSE },
  [MESSAGE_VERIFY_OPAQUE] = { "verify opaque DER",
                              { "signet verify --cms der opaque.der",
                                OPENSSL_CHECK "-binary -inform DER -in opaque.der",
                                GPGSM "--verify opaque.der" },
                              { NULL },
                              FALSE },
  [MESSAGE_VERIFY_STREAMED] = { "  the same, streamed",
                                { "signet verify --cms der opaque.ber",
                                  OPENSSL_CHECK "-binary -inform DER -in opaque.ber",
                                  GPGSM "--verify opaque.ber" },
                                { NULL },
                                FALSE },
  [MESSAGE_ENCRYPT_CBC] = { "encrypt DER, AES-256-CBC",
                            { SIGNET_SEAL "aes-256-cbc", OPENSSL_SEAL "-aes-256-cbc", GPGSM_SEAL },
                            { NULL },
                            TRUE },
  [MESSAGE_ENCRYPT_GCM] = { "encrypt DER, AES-256-GCM",
                            { SIGNET_SEAL "aes-256-gcm", OPENSSL_SEAL "-aes-256-gcm" },
                            { [MESSAGE_GPGSM] = NO_GCM },
                            TRUE },
  [MESSAGE_DECRYPT_CBC] = { "decrypt DER, AES-256-CBC",
                            { SIGNET_OPEN "cbc.der", OPENSSL_OPEN "cbc.der",
                              GPGSM "--decrypt cbc.der" },
                            { NULL },
                            TRUE },
  [MESSAGE_DECRYPT_GCM] = { "decrypt DER, AES-256-GCM",
                            { SIGNET_OPEN "gcm.der", OPENSSL_OPEN "gcm.der" },
                            { [MESSAGE_GPGSM] = NO_GCM },
                            TRUE },
  [MESSAGE_DECRYPT_CBC_STREAMED] = { "  streamed, AES-256-CBC",
                                     { SIGNET_OPEN "cbc.ber", OPENSSL_OPEN "cbc.ber",
                                       GPGSM "--decrypt cbc.ber" },
                                     { NULL },
                                     TRUE },
  [MESSAGE_DECRYPT_GCM_STREAMED] = { "  streamed, AES-256-GCM",
                                     { SIGNET_OPEN "gcm.ber", OPENSSL_OPEN "gcm.ber" },
                                     { [MESSAGE_GPGSM] = NO_GCM },
                                     TRUE },
  [MESSAGE_DECRYPT_MAIL] = { "decrypt mail, base64, CBC",
                             { "signet decrypt sealed.eml",
                               "openssl cms -decrypt " OPENSSL_KEYS "-in sealed.eml" },
                             { [MESSAGE_GPGSM] = NO_MAIL },
                             TRUE },
  [MESSAGE_HASH] = { "SHA-256 of the text",
                     { "openssl dgst -sha256 plain.eml" },
                     { NULL, NO_OTHER, NO_OTHER },
                     FALSE },
  [MESSAGE_COPY] = { "copy of the text",
                     { "cp --reflink=never plain.eml output" },
                     { NULL, NO_OTHER, NO_OTHER },
                     TRUE },
  [MESSAGE_DECODE] = { "base64 -d of the sealed mail",
                       { "base64 -d sealed.b64" },
                       { NULL, NO_OTHER, NO_OTHER },
                       TRUE },
};

const MessageFile message_files[] = {
  { "signed.eml", SIGNET_SIGN },
  { "opaque.der", SIGNET_SIGN " --cms der" },
  { "opaque.ber", OPENSSL_SIGN " -nodetach -binary -stream -outform DER" },
  { "cbc.der", SIGNET_SEAL "aes-256-cbc" },
  { "gcm.der", SIGNET_SEAL "aes-256-gcm" },
  { "cbc.ber", OPENSSL_SEAL "-aes-256-cbc" },
  { "gcm.ber", OPENSSL_SEAL "-aes-256-gcm" },
  { "sealed.eml", "signet encrypt --cipher aes-256-cbc --no-self --to bench-rsa.pem plain.eml" },
  { "sealed.b64", "sed 1,/^$/d sealed.eml" },
};

const gsize n_message_files = G_N_ELEMENTS(message_files);
