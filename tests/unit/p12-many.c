/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* p12-many OUT PASSPHRASE PEM…: one PKCS #12 file with the keys and certificates of several people, each PEM a
 * key and its certificate. `openssl pkcs12` writes one key a file only. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>

#define ITERATIONS 2048 /* as `openssl pkcs12 -export` */

typedef struct {
  STACK_OF(PKCS12_SAFEBAG) * certs;
  STACK_OF(PKCS12_SAFEBAG) * keys;
} Bags;

static int
add_person(Bags *bags, const char *path, const char *passphrase)
{
  BIO *in = BIO_new_file(path, "r");
  EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
  X509 *cert = key && BIO_reset(in) == 0 ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
  unsigned char digest[SHA_DIGEST_LENGTH];
  unsigned int length = 0;
  int done = cert && X509_digest(cert, EVP_sha1(), digest, &length) == 1;
  PKCS12_SAFEBAG *cert_bag = done ? PKCS12_add_cert(&bags->certs, cert) : NULL;
  PKCS12_SAFEBAG *key_bag =
      cert_bag ? PKCS12_add_key(&bags->keys, key, 0, ITERATIONS, NID_aes_256_cbc, passphrase)
               : NULL;
  done = key_bag && PKCS12_add_localkeyid(cert_bag, digest, (int)length) == 1 &&
         PKCS12_add_localkeyid(key_bag, digest, (int)length) == 1;
  X509_free(cert);
  EVP_PKEY_free(key);
  BIO_free(in);
  return done;
}

static int
write_file(const Bags *bags, const char *path, const char *passphrase)
{
  STACK_OF(PKCS7) *safes = NULL;
  int done = PKCS12_add_safe(&safes, bags->certs, NID_aes_256_cbc, ITERATIONS, passphrase) == 1 &&
             PKCS12_add_safe(&safes, bags->keys, -1, 0, NULL) == 1;
  PKCS12 *p12 = done ? PKCS12_add_safes(safes, NID_pkcs7_data) : NULL;
  BIO *out = NULL;
  done = p12 && PKCS12_set_mac(p12, passphrase, -1, NULL, 0, ITERATIONS, EVP_sha256()) == 1 &&
         (out = BIO_new_file(path, "w")) != NULL && i2d_PKCS12_bio(out, p12) == 1;
  BIO_free(out);
  PKCS12_free(p12);
  sk_PKCS7_pop_free(safes, PKCS7_free);
  return done;
}

int
main(int argc, char **argv)
{
  Bags bags = { NULL, NULL };
  int done = argc > 3;
  for (int i = 3; done && i < argc; i++)
    done = add_person(&bags, argv[i], argv[2]);
  done = done && write_file(&bags, argv[1], argv[2]);
  sk_PKCS12_SAFEBAG_pop_free(bags.certs, PKCS12_SAFEBAG_free);
  sk_PKCS12_SAFEBAG_pop_free(bags.keys, PKCS12_SAFEBAG_free);
  if (!done)
    fprintf(stderr, "p12-many: cannot make %s\n", argc > 1 ? argv[1] : "a file");
  return done ? 0 : 1;
}
