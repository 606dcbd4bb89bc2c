/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/der.h"

#include <string.h>

#define TAG_INTEGER 0x02
#define TAG_BIT_STRING 0x03
#define TAG_OCTET_STRING 0x04
#define TAG_SEQUENCE 0x30
#define TAG_VERSION 0xa0
#define MODULUS_MIN 64
#define MODULUS_MAX 2048
#define EXPONENT_MAX 64

/* AlgorithmIdentifier of RFC 3279 2.3.1: rsaEncryption, NULL */
static const guint8 rsa_algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
static const guint8 ec_oid[] = { 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const guint8 p256_oid[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const guint8 p384_oid[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const guint8 p521_oid[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const guint8 ed25519_oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 }; /* RFC 8410 */
/* What tokens say for Ed25519 besides: GnuPG's OID (OpenSC), and PKCS#11 v3.0 2.3.10's name. */
static const guint8 gnu_ed25519_oid[] = { 0x06, 0x09, 0x2b, 0x06, 0x01, 0x04,
                                          0x01, 0xda, 0x47, 0x0f, 0x01 };
static const guint8 ed25519_name[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                                       'd',  's',  '2', '5', '5', '1', '9' };

static const struct {
  BaseKeyKind kind;
  const guint8 *params;
  gsize length;
  gsize field;
} curve_table[] = {
  { BASE_KEY_EC_P256, p256_oid, sizeof p256_oid, 32 },
  { BASE_KEY_EC_P384, p384_oid, sizeof p384_oid, 48 },
  { BASE_KEY_EC_P521, p521_oid, sizeof p521_oid, 66 },
  { BASE_KEY_ED25519, ed25519_oid, sizeof ed25519_oid, 32 },
  { BASE_KEY_ED25519, gnu_ed25519_oid, sizeof gnu_ed25519_oid, 32 },
  { BASE_KEY_ED25519, ed25519_name, sizeof ed25519_name, 32 },
};

gboolean
token_der_read(const guint8 *at, const guint8 *end, TokenDer *ret_element)
{
  if (end - at < 2 || (at[0] & 0x1f) == 0x1f) /* no long tags in what we read */
    return FALSE;
  guint8 tag = *at++;
  gsize length = *at++;
  if (length & 0x80) {
    gsize count = length & 0x7f;
    if (count == 0 || count > 4 || (gsize)(end - at) < count)
      return FALSE;
    for (length = 0; count; count--)
      length = length << 8 | *at++;
  }
  if ((gsize)(end - at) < length)
    return FALSE;
  *ret_element = (TokenDer){ tag, at, length, at + length };
  return TRUE;
}

static gsize
head_size(gsize length)
{
  return length < 0x80 ? 2 : length < 0x100 ? 3 : 4; /* nothing here reaches 64 KiB */
}

static guint8 *
put_head(guint8 *at, guint8 tag, gsize length)
{
  *at++ = tag;
  if (length >= 0x100) {
    *at++ = 0x82;
    *at++ = (guint8)(length >> 8);
  } else if (length >= 0x80) {
    *at++ = 0x81;
  }
  *at++ = (guint8)length;
  return at;
}

static guint8 *
put_bytes(guint8 *at, gconstpointer bytes, gsize length)
{
  memcpy(at, bytes, length);
  return at + length;
}

static gsize
skip_zeros(const guint8 **bytes, gsize length)
{
  while (length && **bytes == 0) {
    (*bytes)++;
    length--;
  }
  return length;
}

/* X.690 8.3: a leading zero keeps a number with its top bit set positive. */
static gsize
integer_size(const guint8 *bytes, gsize length)
{
  return length + (bytes[0] >> 7);
}

static guint8 *
put_integer(guint8 *at, const guint8 *bytes, gsize length)
{
  at = put_head(at, TAG_INTEGER, integer_size(bytes, length));
  if (bytes[0] >> 7)
    *at++ = 0;
  return put_bytes(at, bytes, length);
}

GBytes *
token_spki_rsa(const guint8 *modulus, gsize modulus_length, const guint8 *exponent,
               gsize exponent_length)
{
  modulus_length = skip_zeros(&modulus, modulus_length);
  exponent_length = skip_zeros(&exponent, exponent_length);
  if (modulus_length < MODULUS_MIN || modulus_length > MODULUS_MAX || !exponent_length ||
      exponent_length > EXPONENT_MAX)
    return NULL;
  gsize n = integer_size(modulus, modulus_length);
  gsize e = integer_size(exponent, exponent_length);
  gsize numbers = head_size(n) + n + head_size(e) + e;
  gsize key = 1 + head_size(numbers) + numbers;
  gsize body = sizeof rsa_algorithm + head_size(key) + key;
  gsize total = head_size(body) + body;
  guint8 *der = g_malloc(total);
  guint8 *at = put_head(der, TAG_SEQUENCE, body);
  at = put_bytes(at, rsa_algorithm, sizeof rsa_algorithm);
  at = put_head(at, TAG_BIT_STRING, key);
  *at++ = 0;
  at = put_head(at, TAG_SEQUENCE, numbers);
  at = put_integer(at, modulus, modulus_length);
  put_integer(at, exponent, exponent_length);
  return g_bytes_new_take(der, total);
}

BaseKeyKind
token_curve(const guint8 *params, gsize length)
{
  for (gsize i = 0; i < G_N_ELEMENTS(curve_table); i++)
    if (curve_table[i].length == length && memcmp(curve_table[i].params, params, length) == 0)
      return curve_table[i].kind;
  return BASE_KEY_OTHER;
}

gsize
token_curve_field(BaseKeyKind kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS(curve_table); i++)
    if (curve_table[i].kind == kind)
      return curve_table[i].field;
  return 0;
}

const guint8 *
token_curve_oid(BaseKeyKind kind, gsize *ret_length)
{
  for (gsize i = 0; i < G_N_ELEMENTS(curve_table); i++)
    if (curve_table[i].kind == kind) {
      *ret_length = curve_table[i].length;
      return curve_table[i].params;
    }
  *ret_length = 0;
  return NULL;
}

/* PKCS#11 v2.40 wants an OCTET STRING around the point, v2.20 modules often have it bare, some have a BIT
 * STRING. Both an uncompressed point and an OCTET STRING begin with 04, so the length decides. */
static const guint8 *
bare_point(const guint8 *point, gsize length, gsize wanted)
{
  TokenDer element;

  if (length == wanted)
    return point;
  if (!token_der_read(point, point + length, &element) || element.next != point + length)
    return NULL;
  if (element.tag == TAG_OCTET_STRING && element.length == wanted)
    return element.content;
  if (element.tag == TAG_BIT_STRING && element.length == wanted + 1 && element.content[0] == 0)
    return element.content + 1;
  return NULL;
}

GBytes *
token_spki_ec(const guint8 *params, gsize params_length, const guint8 *point, gsize point_length)
{
  BaseKeyKind kind = token_curve(params, params_length);
  gsize field = token_curve_field(kind);
  gboolean edwards = kind == BASE_KEY_ED25519;
  gsize wanted = edwards ? field : 1 + 2 * field;
  const guint8 *bare = field ? bare_point(point, point_length, wanted) : NULL;

  if (!bare || (!edwards && bare[0] != 0x04))
    return NULL;
  gsize oid_length = 0;
  const guint8 *oid = token_curve_oid(kind, &oid_length);
  gsize algorithm = oid_length + (edwards ? 0 : sizeof ec_oid);
  gsize body = head_size(algorithm) + algorithm + head_size(wanted + 1) + wanted + 1;
  gsize total = head_size(body) + body;
  guint8 *der = g_malloc(total);
  guint8 *at = put_head(der, TAG_SEQUENCE, body);
  at = put_head(at, TAG_SEQUENCE, algorithm);
  if (!edwards)
    at = put_bytes(at, ec_oid, sizeof ec_oid);
  at = put_bytes(at, oid, oid_length);
  at = put_head(at, TAG_BIT_STRING, wanted + 1);
  *at++ = 0;
  put_bytes(at, bare, wanted);
  return g_bytes_new_take(der, total);
}

/* RFC 5280 4.1: version [0] (optional), serialNumber, signature, issuer, validity, subject, then it. */
GBytes *
token_spki_of_certificate(const guint8 *der, gsize length)
{
  TokenDer outer, tbs, element;

  if (!token_der_read(der, der + length, &outer) || outer.tag != TAG_SEQUENCE ||
      outer.next != der + length || !token_der_read(outer.content, outer.next, &tbs) ||
      tbs.tag != TAG_SEQUENCE || !token_der_read(tbs.content, tbs.next, &element))
    return NULL;
  int to_skip = element.tag == TAG_VERSION ? 6 : 5;
  const guint8 *at = tbs.content;
  for (int i = 0; i < to_skip; i++) {
    if (!token_der_read(at, tbs.next, &element))
      return NULL;
    at = element.next;
  }
  if (!token_der_read(at, tbs.next, &element) || element.tag != TAG_SEQUENCE)
    return NULL;
  g_autoptr(GBytes) spki = g_bytes_new(at, (gsize)(element.next - at));
  TokenSpki facts;
  return token_spki_read(spki, &facts) ? g_steal_pointer(&spki) : NULL;
}

static gboolean
read_rsa(TokenSpki *facts)
{
  TokenDer numbers, modulus;
  const guint8 *end = facts->key + facts->key_length;

  if (!token_der_read(facts->key, end, &numbers) || numbers.tag != TAG_SEQUENCE ||
      !token_der_read(numbers.content, numbers.next, &modulus) || modulus.tag != TAG_INTEGER)
    return FALSE;
  const guint8 *bytes = modulus.content;
  facts->modulus_length = skip_zeros(&bytes, modulus.length);
  if (!facts->modulus_length || facts->modulus_length > MODULUS_MAX)
    return FALSE;
  facts->kind = BASE_KEY_RSA;
  facts->bits = (int)facts->modulus_length * 8;
  for (guint8 top = bytes[0]; !(top & 0x80); top = (guint8)(top << 1))
    facts->bits--;
  return TRUE;
}

static int
curve_bits(BaseKeyKind kind)
{
  return kind == BASE_KEY_EC_P521   ? 521
         : kind == BASE_KEY_ED25519 ? 255
                                    : (int)token_curve_field(kind) * 8;
}

static gboolean
read_algorithm(const TokenDer *algorithm, TokenSpki *facts)
{
  const guint8 *at = algorithm->content;
  gsize length = algorithm->length;

  if (length == sizeof rsa_algorithm - 2 && memcmp(at, rsa_algorithm + 2, length) == 0)
    return read_rsa(facts);
  if (length > sizeof ec_oid && memcmp(at, ec_oid, sizeof ec_oid) == 0) {
    at += sizeof ec_oid;
    length -= sizeof ec_oid;
  }
  facts->kind = token_curve(at, length);
  facts->field_length = token_curve_field(facts->kind);
  facts->bits = curve_bits(facts->kind);
  return TRUE;
}

gboolean
token_spki_read(GBytes *spki, TokenSpki *ret_facts)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(spki, &length);
  TokenDer outer, algorithm, key;
  TokenSpki facts = { .kind = BASE_KEY_OTHER };

  if (!der || !token_der_read(der, der + length, &outer) || outer.tag != TAG_SEQUENCE ||
      outer.next != der + length || !token_der_read(outer.content, outer.next, &algorithm) ||
      algorithm.tag != TAG_SEQUENCE || !token_der_read(algorithm.next, outer.next, &key) ||
      key.tag != TAG_BIT_STRING || key.length < 2 || key.content[0] != 0)
    return FALSE;
  facts.key = key.content + 1;
  facts.key_length = key.length - 1;
  if (!read_algorithm(&algorithm, &facts))
    return FALSE;
  *ret_facts = facts;
  return TRUE;
}

gsize
token_ecdsa_der(const guint8 *raw, gsize length, guint8 out[TOKEN_ECDSA_DER_MAX])
{
  gsize half = length / 2;
  const guint8 *r = raw;
  const guint8 *s = raw + half;

  if (length % 2 || half < 16 || half > 66)
    return 0;
  gsize r_length = skip_zeros(&r, half);
  gsize s_length = skip_zeros(&s, half);
  if (!r_length || !s_length)
    return 0;
  gsize body = 4 + integer_size(r, r_length) + integer_size(s, s_length);
  guint8 *at = put_head(out, TAG_SEQUENCE, body);
  at = put_integer(at, r, r_length);
  at = put_integer(at, s, s_length);
  return (gsize)(at - out);
}
