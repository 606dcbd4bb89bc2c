/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/der.h"

#define CHILDREN 10 /* a traditional RSA key has nine */

#define TAG_INTEGER 0x02
#define TAG_BIT_STRING 0x03
#define TAG_OCTET_STRING 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_CONTEXT_0 0xa0
#define TAG_OCTETS_IN_PARTS 0x24
#define TAG_UTC_TIME 0x17
#define TAG_GENERALIZED_TIME 0x18

gboolean
keyfile_der_first(const guint8 *bytes, gsize length, KeyfileElement *ret_element)
{
  gsize header = 2;
  gsize value = 0;
  if (length < 2 || (bytes[0] & 0x1f) == 0x1f)
    return FALSE;
  if (bytes[1] < 0x80) {
    value = bytes[1];
  } else if (bytes[1] > 0x80) {
    gsize n = bytes[1] & 0x7f;
    if (n > 4 || length < 2 + n)
      return FALSE;
    for (gsize i = 0; i < n; i++)
      value = value << 8 | bytes[2 + i];
    header += n;
  } else {
    value = length - 2;
  }
  ret_element->tag = bytes[0];
  ret_element->value = bytes + header;
  ret_element->length = MIN(value, length - header);
  ret_element->whole = header + value;
  ret_element->indefinite = bytes[1] == 0x80;
  return TRUE;
}

/* How many there are, at most CHILDREN; what follows one of indefinite length is not seen. */
static guint
children(const KeyfileElement *parent, KeyfileElement *child)
{
  const guint8 *at = parent->value;
  gsize left = parent->length;
  guint n = 0;
  while (n < CHILDREN && left > 0 && keyfile_der_first(at, left, &child[n])) {
    gsize whole = MIN(child[n].whole, left);
    at += whole;
    left -= whole;
    n++;
  }
  return n;
}

static gboolean
starts_with(const KeyfileElement *parent, const char *tags)
{
  KeyfileElement child[CHILDREN];
  guint n = children(parent, child);
  for (guint i = 0; tags[i]; i++)
    if (i >= n || child[i].tag != (guint8)tags[i])
      return FALSE;
  return TRUE;
}

static gboolean
is_number(const KeyfileElement *element, guint8 wanted)
{
  return element->tag == TAG_INTEGER && element->length == 1 && element->value[0] == wanted;
}

/* X.509's SIGNED{}: what is signed tells what it is. */
static KeyfileDer
tell_signed(const KeyfileElement *content)
{
  KeyfileElement part[CHILDREN];
  guint n = children(content, part);
  guint at = n > 0 && (part[0].tag == TAG_CONTEXT_0 || part[0].tag == TAG_INTEGER) ? 1 : 0;
  if (n < at + 2)
    return KEYFILE_DER_NONE;
  /* A request: version, name, key; the key's SEQUENCE ends with a BIT STRING. */
  if (at == 1 && part[0].tag == TAG_INTEGER && n >= 3 && starts_with(&part[2], "\x30\x03"))
    return KEYFILE_DER_REQUEST;
  /* A revocation list: version where there is one, algorithm, issuer, time. */
  if (n >= at + 3 && (part[at + 2].tag == TAG_UTC_TIME || part[at + 2].tag == TAG_GENERALIZED_TIME))
    return KEYFILE_DER_REVOCATION;
  return KEYFILE_DER_CERTIFICATE;
}

static KeyfileDer
tell_numbered(const KeyfileElement *child, guint n)
{
  if (is_number(&child[0], 3) && child[1].tag == TAG_SEQUENCE && starts_with(&child[1], "\x06"))
    return KEYFILE_DER_PKCS12;
  if (child[1].tag == TAG_SEQUENCE && n >= 3 && child[2].tag == TAG_OCTET_STRING)
    return KEYFILE_DER_PKCS8;
  if (is_number(&child[0], 1) && child[1].tag == TAG_OCTET_STRING)
    return KEYFILE_DER_EC_KEY;
  for (guint i = 1; i < n; i++)
    if (child[i].tag != TAG_INTEGER)
      return n >= CHILDREN - 1 && i >= 9 ? KEYFILE_DER_RSA_KEY : KEYFILE_DER_NONE;
  if (is_number(&child[0], 0) && n >= 9)
    return KEYFILE_DER_RSA_KEY;
  if (is_number(&child[0], 0) && n == 6)
    return KEYFILE_DER_DSA_KEY;
  return n == 2 ? KEYFILE_DER_PUBLIC_KEY : KEYFILE_DER_NONE;
}

KeyfileDer
keyfile_der_tell(const guint8 *bytes, gsize length)
{
  KeyfileElement outer;
  KeyfileElement child[CHILDREN];
  if (length < 2 || bytes[0] != TAG_SEQUENCE || !keyfile_der_first(bytes, length, &outer))
    return KEYFILE_DER_NONE;
  guint n = children(&outer, child);
  if (n >= 1 && child[0].tag == TAG_OID)
    return KEYFILE_DER_PKCS7;
  if (n < 2)
    return KEYFILE_DER_NONE;
  if (child[0].tag == TAG_INTEGER)
    return tell_numbered(child, n);
  if (child[0].tag != TAG_SEQUENCE)
    return KEYFILE_DER_NONE;
  if (starts_with(&child[0], "\x06")) {
    if (child[1].tag == TAG_BIT_STRING)
      return KEYFILE_DER_PUBLIC_KEY;
    return child[1].tag == TAG_OCTET_STRING || child[1].tag == TAG_OCTETS_IN_PARTS
               ? KEYFILE_DER_PKCS8_SEALED
               : KEYFILE_DER_NONE;
  }
  return child[1].tag == TAG_SEQUENCE ? tell_signed(&child[0]) : KEYFILE_DER_NONE;
}
