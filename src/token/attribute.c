/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"

#define FIND_BATCH 512
#define FIND_TRIES 4
#define ATTRIBUTES_MAX 24

gboolean
token_attribute_there(const CK_ATTRIBUTE *attribute, gsize room)
{
  return attribute->ulValueLen != CK_UNAVAILABLE_INFORMATION && attribute->ulValueLen <= room;
}

/* PKCS#11 v2.40 5.7.5: these are about single attributes; the others have been read. */
static gboolean
is_about_one(CK_RV rv)
{
  return rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
         rv == CKR_BUFFER_TOO_SMALL || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
         rv == CKR_FUNCTION_NOT_SUPPORTED || rv == CKR_ARGUMENTS_BAD;
}

static void
check_lengths(CK_ATTRIBUTE *attributes, const CK_ULONG *rooms, CK_ULONG count)
{
  for (CK_ULONG i = 0; i < count; i++)
    if (!token_attribute_there(&attributes[i], rooms[i]))
      attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
}

static CK_RV
read_each(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
          CK_ATTRIBUTE *attributes, const CK_ULONG *rooms, CK_ULONG count)
{
  for (CK_ULONG i = 0; i < count; i++) {
    attributes[i].ulValueLen = rooms[i];
    CK_RV rv = token->module->f->C_GetAttributeValue(session, object, &attributes[i], 1);
    if (rv != CKR_OK)
      attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
    if (token_rv_is_loss(rv))
      return rv;
  }
  check_lengths(attributes, rooms, count);
  return CKR_OK;
}

CK_RV
token_attributes_read(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                      CK_ATTRIBUTE *attributes, CK_ULONG count)
{
  CK_ULONG rooms[ATTRIBUTES_MAX];
  CK_ATTRIBUTE asked[ATTRIBUTES_MAX + 1];
  CK_OBJECT_CLASS last = CK_UNAVAILABLE_INFORMATION;

  g_assert(count <= ATTRIBUTES_MAX);
  for (CK_ULONG i = 0; i < count; i++) {
    rooms[i] = attributes[i].ulValueLen;
    asked[i] = attributes[i];
  }
  /* Every object has a class. Whether it was filled in tells whether the module went on
   * after an attribute that it does not have, as the standard wants. */
  asked[count] = (CK_ATTRIBUTE){ CKA_CLASS, &last, sizeof last };
  CK_RV rv = token->module->f->C_GetAttributeValue(session, object, asked, count + 1);
  gboolean complete = rv == CKR_OK || (is_about_one(rv) && asked[count].ulValueLen == sizeof last &&
                                       last != CK_UNAVAILABLE_INFORMATION);
  if (!complete)
    return is_about_one(rv) ? read_each(token, session, object, attributes, rooms, count) : rv;
  for (CK_ULONG i = 0; i < count; i++)
    attributes[i].ulValueLen = asked[i].ulValueLen;
  check_lengths(attributes, rooms, count);
  return CKR_OK;
}

gboolean
token_attribute_bool(const CK_ATTRIBUTE *attribute, gboolean fallback)
{
  if (attribute->ulValueLen != sizeof(CK_BBOOL))
    return fallback;
  return *(const CK_BBOOL *)attribute->pValue != CK_FALSE;
}

CK_ULONG
token_attribute_ulong(const CK_ATTRIBUTE *attribute)
{
  return attribute->ulValueLen == sizeof(CK_ULONG) ? *(const CK_ULONG *)attribute->pValue
                                                   : CK_UNAVAILABLE_INFORMATION;
}

GBytes *
token_attribute_bytes(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                      CK_ATTRIBUTE_TYPE type, gsize max)
{
  CK_ATTRIBUTE attribute = { type, NULL, 0 };
  CK_FUNCTION_LIST *f = token->module->f;

  if (f->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK ||
      !token_attribute_there(&attribute, max))
    return NULL;
  gsize room = attribute.ulValueLen;
  g_autofree guint8 *bytes = g_malloc(room + 1);
  attribute.pValue = bytes;
  if (f->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK ||
      !token_attribute_there(&attribute, room))
    return NULL;
  return g_bytes_new_take(g_steal_pointer(&bytes), attribute.ulValueLen);
}

static CK_RV
find_once(Token *token, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
          GArray *handles)
{
  CK_FUNCTION_LIST *f = token->module->f;
  CK_OBJECT_HANDLE batch[FIND_BATCH];
  CK_ULONG found = 0;

  CK_RV rv = f->C_FindObjectsInit(session, attributes, count);
  if (rv == CKR_OPERATION_ACTIVE) { /* left by a find that failed half way */
    f->C_FindObjectsFinal(session);
    rv = f->C_FindObjectsInit(session, attributes, count);
  }
  if (rv != CKR_OK)
    return rv;
  do {
    found = 0;
    rv = f->C_FindObjects(session, batch, FIND_BATCH, &found);
    if (rv == CKR_OK && (found > FIND_BATCH || handles->len + found > WIRE_OBJECTS_MAX))
      rv = CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
      g_array_append_vals(handles, batch, (guint)found);
  } while (rv == CKR_OK && found);
  f->C_FindObjectsFinal(session);
  return rv;
}

CK_RV
token_find_all(Token *token, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
               GArray **ret_handles)
{
  g_autoptr(GArray) handles = g_array_new(FALSE, FALSE, sizeof(CK_OBJECT_HANDLE));
  CK_RV rv = CKR_GENERAL_ERROR;

  /* SoftHSM 2.6.1 fails a find with CKR_GENERAL_ERROR when another thread makes an object,
   * be it the session object of a derivation, at that moment. */
  for (int tries = 0; rv == CKR_GENERAL_ERROR && tries < FIND_TRIES; tries++) {
    if (tries)
      g_usleep(2000);
    g_array_set_size(handles, 0);
    rv = find_once(token, session, attributes, count, handles);
  }
  if (rv == CKR_OK)
    *ret_handles = g_steal_pointer(&handles);
  return rv;
}

void
token_template_add(TokenTemplate *template, CK_ATTRIBUTE_TYPE type, gconstpointer value,
                   gsize length)
{
  g_assert(template->count < TOKEN_TEMPLATE_MAX);
  template->rows[template->count++] = (CK_ATTRIBUTE){ type, (gpointer)(gintptr)value, length };
}

void
token_template_add_bool(TokenTemplate *template, CK_ATTRIBUTE_TYPE type, gboolean value)
{
  static const CK_BBOOL yes = CK_TRUE;
  static const CK_BBOOL no = CK_FALSE;
  token_template_add(template, type, value ? &yes : &no, sizeof(CK_BBOOL));
}
