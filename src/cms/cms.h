/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CMS (RFC 5652): sign, verify, encrypt, decrypt, look inside. Private-key operations go through
 * libsignet; nothing here knows of mail. Messages stream (cms/flow.h); the calls here that take one
 * whole put it through the same stages, for what is small, and for tests. */

#include "base/cert.h"
#include "base/secret.h"

#include <signet/key.h>

#define CMS_CONTENT_MAX ((gsize)1024 * 1024 * 1024)
#define CMS_STRUCTURE_MAX (16 * 1024 * 1024) /* without content: certificates, recipients */

typedef enum { CMS_DER, CMS_PEM } CmsEncoding;

/* ---- signing ---- */

typedef struct {
  const char *key; /* on the token */
  BaseKeyKind kind;
  GBytes *certificate; /* DER */
  GPtrArray *chain;    /* (element-type GBytes) DER, may be empty or NULL */
  const char *hash;    /* "sha256", "sha384", "sha512"; NULL: fits the key (Ed25519: sha512) */
  gboolean pss;        /* RSA: RSASSA-PSS */
  /* (nullable) DER: the certificate that answers should be sealed to, where it is another one
   * (SMIMEEncryptionKeyPreference, RFC 8551 2.5.3); goes into the message. */
  GBytes *encryption_certificate;
  /* (nullable) NULL-terminated: addresses that a signed receipt shall go to (RFC 2634 2.2) */
  const char *const *receipts_to;
} CmsSigner;

/* The hash that is used for this signer: micalg of the mail.
 *
 * A SignedData has one signer, with the signed attributes contentType, signingTime, messageDigest,
 * SMIMECapabilities, ESS signingCertificateV2 and those that the signer asks for. RSA v1.5 and PSS,
 * ECDSA, Ed25519 (RFC 8419: SHA-512 and pure Ed25519 over the attributes). */
const char *cms_signer_hash(const CmsSigner *signer);

/* ---- verifying ---- */

typedef enum {
  CMS_SIGNATURE_GOOD,
  CMS_SIGNATURE_BAD,
  CMS_SIGNATURE_UNKNOWN /* algorithm or certificate not to be had */
} CmsSignatureState;

/* A receiptRequest (RFC 2634 2.7), with what the receipt must repeat; cms/receipt.h. */
typedef struct {
  GBytes *content_id;
  char *content_type; /* OID */
  GBytes *signature;  /* its octets */
  GBytes *attributes; /* the digest of the signed attributes */
  gboolean all;       /* from everybody (or the first who get it); else from those in `from` */
  char **from;        /* (nullable) addresses */
  char **to;          /* addresses; other kinds of names are left out */
} CmsReceiptAsked;

typedef struct {
  CmsSignatureState state;
  char *reason;          /* (nullable) why bad or unknown, or good but weak, for a person */
  BaseCert *certificate; /* (nullable) the signer's, when in the message or in `extra` */
  char *digest;          /* "sha256" */
  char *algorithm;       /* "rsa-pkcs1", "rsa-pss", "ecdsa", "eddsa" or an OID */
  gboolean weak;         /* MD5, SHA-1, RSA below 2048 */
  gint64 signing_time;   /* 0: not said */
  /* The rest is said by good signatures only. What the signer can read (SMIMECapabilities): names as
   * cms_cipher_check() takes them, best first; (nullable): not said. */
  char **ciphers;
  BaseCert *encryption; /* (nullable) where to seal to (SMIMEEncryptionKeyPreference), if it came */
  CmsReceiptAsked *receipt; /* (nullable) the signer asks for a signed receipt */
  GBytes *original; /* (nullable) this is one: the digest of what the original's signer signed */
} CmsSignature;

typedef struct {
  GPtrArray *signatures;   /* (element-type CmsSignature), empty: the message had no signer */
  GPtrArray *certificates; /* (element-type BaseCert), all in the message */
  GBytes *content;         /* of cms_verify(): what was signed; else NULL */
} CmsVerified;

/* `detached` NULL: the content is inside. Both inside and detached: BAD_INPUT. */
CmsVerified *cms_verify(GBytes *message, GBytes *detached, GPtrArray *extra_certificates,
                        GError **error);
void cms_verified_free(CmsVerified *verified);

/* ---- encrypting ---- */

/* "aes-128-cbc", "aes-192-cbc", "aes-256-cbc"; as AuthEnvelopedData "aes-128-gcm",
 * "aes-192-gcm", "aes-256-gcm". */
gboolean cms_cipher_check(const char *cipher, GError **error);

/* Recipients by their certificates (element-type BaseCert): RSA (v1.5: what every mailer reads)
 * or EC (ephemeral ECDH, X9.63 KDF with SHA-256, AES-256 wrap). One that cannot receive
 * (Ed25519) is UNSUPPORTED. */
GBytes *cms_encrypt(GBytes *content, GPtrArray *recipients, const char *cipher, GError **error);

/* ---- decrypting ---- */

typedef struct {
  GBytes *content;
  gboolean authenticated; /* AuthEnvelopedData */
  char *cipher;
  char *key; /* which key opened it */
  char *id;
} CmsOpened;

/* Finds which of our keys the message names, asks the token for the content key first and
 * stops on PIN_REQUIRED, TOKEN_GONE, TIMEOUT, DENIED …; CANNOT_DECRYPT otherwise. Nothing comes
 * out unless tag or padding verified. A key that is away: TOKEN_GONE naming its token. */
CmsOpened *cms_decrypt(SignetClient *client, GBytes *message, GError **error);
void cms_opened_free(CmsOpened *opened);

/* ---- looking inside, without any key ---- */

typedef enum {
  CMS_TYPE_SIGNED,
  CMS_TYPE_CERTIFICATES, /* SignedData without signer: .p7b */
  CMS_TYPE_ENVELOPED,
  CMS_TYPE_AUTH_ENVELOPED,
  CMS_TYPE_OTHER
} CmsType;

typedef struct {
  CmsType type;
  char *type_name;       /* "EnvelopedData" … or the OID */
  char *cipher;          /* (nullable) */
  GPtrArray *recipients; /* (element-type char) one line each: "RSA, issuer CN=…, serial 12ab" */
  GPtrArray *signers;    /* likewise */
  GPtrArray *certificates; /* (element-type BaseCert) */
  gboolean detached;
  guint64 content_length;
} CmsInfo;

CmsInfo *cms_info(GBytes *message, GError **error);
void cms_info_free(CmsInfo *info);

/* ---- encodings ---- */

/* DER out of DER, PEM or bare base64; BAD_INPUT says what is wrong where. */
GBytes *cms_read(GBytes *bytes, const char *name, GError **error);
GBytes *cms_to_pem(GBytes *der);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsVerified, cms_verified_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsOpened, cms_opened_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsInfo, cms_info_free)
