/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Operations with a private key that stays on its token.
 *
 * One-shot calls go over the client's socket. A program that uses a key
 * again and again opens it (signet_key_open): operations then go straight to
 * the token's host, at about twice the rate; where the key gets no such channel
 * the same calls go over the socket, and the caller notices nothing.
 */

#include <signet/client.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

G_BEGIN_DECLS

typedef enum {
  SIGNET_RSA_PKCS1 = 1, /* sign, decrypt */
  SIGNET_RSA_PSS,       /* sign */
  SIGNET_RSA_OAEP,      /* decrypt */
  SIGNET_ECDSA,         /* sign */
  SIGNET_EDDSA,         /* sign */
  SIGNET_ECDH           /* derive */
} SignetMechanism;

/**
 * SignetOperation:
 * @mechanism: which
 * @hash: (nullable): "sha1", "sha224", "sha256", "sha384", "sha512": sign: of the digest in @data
 *   (RSA_PKCS1: NULL when @data is a whole DigestInfo); OAEP: its hash (NULL: sha1)
 * @mgf_hash: (nullable): PSS, OAEP; NULL: as @hash
 * @salt_length: PSS, in bytes; -1: as long as the hash
 * @wanted: RSA_PKCS1 decrypt: length of the session key in bytes, 1 to 64
 * @label: (nullable): OAEP label
 * @data: sign: digest (EDDSA: the message, at most 64 KiB); decrypt: ciphertext, modulus-sized;
 *   derive: the peer's point, 04||X||Y
 *
 * Sets of parameters; zero-initialise.
 */
typedef struct {
  SignetMechanism mechanism;
  const char *hash;
  const char *mgf_hash;
  int salt_length;
  gsize wanted;
  const guint8 *label;
  gsize label_length;
  const guint8 *data;
  gsize data_length;
} SignetOperation;

/**
 * signet_key_sign:
 * @client: an open connection
 * @key: 64 hex digits, as in #SignetKey
 * @operation: mechanism and digest
 * @error: SIGNET_ERROR_PIN_REQUIRED  the token is locked and nobody may be asked
 *         SIGNET_ERROR_TOKEN_GONE    removed before or during the call
 *         SIGNET_ERROR_TIMEOUT       the token did not answer; its host was ended
 *
 * Signs on the token. Does not check key usage: signet_id_choose() does.
 * Repeated once by itself when the token's host died underneath.
 *
 * Returns: (transfer full) (nullable): RSA: modulus-sized block; ECDSA: DER SEQUENCE(r,s);
 *   Ed25519: 64 bytes
 *
 * Source: PKCS#11 v2.40 5.11.2 C_Sign; RFC 8017 8.1.1, 8.2.1; RFC 8032 5.1.6
 */
GBytes *signet_key_sign(SignetClient *client, const char *key, const SignetOperation *operation,
                        GError **error);

/**
 * signet_key_decrypt:
 * @client: an open connection
 * @key: 64 hex digits
 * @operation: RSA_PKCS1 with `wanted`, or RSA_OAEP
 *
 * With RSA_PKCS1 a wrong padding is not an error: the answer then is a key that
 * depends on the ciphertext and a secret of the daemon, and decrypting the
 * content with it fails. So no caller becomes a padding oracle.
 *
 * Returns: (transfer full) (nullable): the session key; its memory is wiped when the last
 *   reference goes
 *
 * Source: PKCS#11 v2.40 5.9.2 C_Decrypt; RFC 8017 7.1.2, 7.2.2; RFC 3218 2.3
 */
GBytes *signet_key_decrypt(SignetClient *client, const char *key, const SignetOperation *operation,
                           GError **error);

/**
 * signet_key_derive:
 * @client: an open connection
 * @key: 64 hex digits
 * @operation: ECDH with the peer's point
 *
 * Returns: (transfer full) (nullable): the x coordinate, as long as the field; wiped like the above
 *
 * Source: PKCS#11 mechanisms v2.40 2.3.8 CKM_ECDH1_DERIVE with CKD_NULL; SP 800-56A 5.7.1.2
 */
GBytes *signet_key_derive(SignetClient *client, const char *key, const SignetOperation *operation,
                          GError **error);

typedef struct SignetKeyHandle SignetKeyHandle;

/**
 * signet_key_open:
 * @client: must outlive the handle
 * @key: 64 hex digits
 * @can: the operations wanted, SignetCan bits
 *
 * Opens a key for many operations. A key that gets no channel is not an error. What the broker
 * revokes (locked, removed, expired) is opened again by the next operation, which then tells
 * why when that does not work.
 *
 * Returns: (transfer full) (nullable): close with signet_key_close()
 */
SignetKeyHandle *signet_key_open(SignetClient *client, const char *key, guint can, GError **error);
void signet_key_close(SignetKeyHandle *handle);
/* TRUE while operations go by a key channel */
gboolean signet_key_has_channel(const SignetKeyHandle *handle);

/**
 * signet_key_operate:
 * @handle: an open key
 * @what: which of the operations that it was opened for
 * @operation: as for signet_key_sign(), signet_key_decrypt() or signet_key_derive()
 * @error: as signet_key_sign()
 *
 * Returns: (transfer full) (nullable): as the call of that name
 */
GBytes *signet_key_operate(SignetKeyHandle *handle, SignetCan what,
                           const SignetOperation *operation, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetKeyHandle, signet_key_close)

G_END_DECLS

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
