/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/claim.h"
#include "cms/enveloped.h"
#include "cms/split.h"

/* The head names who can open it; the content key is had before any content comes. So content goes
 * through the cipher as it comes, with one exception: a content key sealed by RSA v1.5 may be a wrong one,
 * which shows at the end only (RFC 3218 2.3.2). Where another of our keys could be tried then, the
 * sealed content is kept until it is known which key opens it. */

typedef struct {
  BaseSink sink;
  BaseSink *out;
  CmsKeys keys;
  CmsSplit *split;
  CmsEnveloped *head; /* kept with the spool */
  CmsSealed sealed;   /* borrowed of it */
  CmsClaims *claims;
  BaseSecret *key;  /* the one to try first, with the spool */
  BaseSpool *spool; /* (nullable) sealed content */
  BaseSink *opener; /* (nullable) */
  CmsUnsealed result;
} Unseal;

/* ---- the head ---- */

static gboolean
keep_content(Unseal *unseal, BaseSecret *key, GError **error)
{
  unseal->key = key;
  unseal->spool = base_spool_new(FALSE, error);
  return unseal->spool != NULL;
}

static gboolean
take_recipient(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  return cms_claims_add(((Unseal *)data)->claims, bytes, length, error);
}

static gboolean
take_head(gpointer data, const CmsMessage *message, GError **error)
{
  Unseal *unseal = data;
  unseal->head = cms_enveloped_new(message, error);
  if (!unseal->head || !cms_enveloped_sealed(unseal->head, &unseal->sealed, error) ||
      !cms_claims_ready(unseal->claims, error))
    return FALSE;
  BaseSecret *key = cms_claims_next(unseal->claims, unseal->sealed.cipher->key_length, error);
  if (!key)
    return FALSE;
  if (!cms_claims_settled(unseal->claims))
    return keep_content(unseal, key, error);
  unseal->opener = cms_cipher_opener_new(&unseal->sealed, key, unseal->out, error);
  g_clear_pointer(&unseal->head, cms_enveloped_free);
  return unseal->opener != NULL;
}

static gboolean
take_content(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  Unseal *unseal = data;
  BaseSink *to = unseal->opener ? unseal->opener : base_spool_sink(unseal->spool);
  return base_sink_write(to, bytes, length, error);
}

/* ---- the end ---- */

static gboolean
open_spool(Unseal *unseal, const CmsSealed *tail, const BaseSecret *key, BaseSink *to,
           GError **error)
{
  g_autoptr(BaseSink) opener =
      cms_cipher_opener_new(&unseal->sealed, base_secret_copy(key), to, error);
  return opener &&
         base_spool_read(unseal->spool, 0, base_spool_length(unseal->spool), opener, error) &&
         cms_cipher_opener_end(opener, tail, error) && base_sink_finish(opener, error);
}

/* Tries one key without a word to anybody, then opens with it what is known to open. */
static gboolean
open_kept(Unseal *unseal, const CmsSealed *tail, GError **error)
{
  if (!base_sink_finish(base_spool_sink(unseal->spool), error))
    return FALSE;
  g_autoptr(BaseSecret) key = g_steal_pointer(&unseal->key);
  while (key) {
    g_autoptr(GError) problem = NULL;
    g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
    if (open_spool(unseal, tail, key, nowhere, &problem))
      return open_spool(unseal, tail, key, unseal->out, error);
    if (!g_error_matches(problem, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT)) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return FALSE;
    }
    cms_claims_refuse(unseal->claims, g_steal_pointer(&problem));
    base_secret_free(key);
    key = cms_claims_next(unseal->claims, unseal->sealed.cipher->key_length, error);
  }
  return FALSE;
}

static gboolean
open_rest(Unseal *unseal, const CmsSealed *tail, GError **error)
{
  if (unseal->spool)
    return open_kept(unseal, tail, error);
  return cms_cipher_opener_end(unseal->opener, tail, error) &&
         base_sink_finish(unseal->opener, error);
}

static gboolean
unseal_finish(BaseSink *sink, GError **error)
{
  Unseal *unseal = (Unseal *)sink;
  CmsMessage message = { 0 };
  CmsSealed tail;
  if (!cms_split_done(unseal->split, &message, error))
    return FALSE;
  g_autoptr(CmsEnveloped) enveloped = cms_enveloped_new(&message, error);
  if (!enveloped || !cms_enveloped_sealed(enveloped, &tail, error) ||
      !open_rest(unseal, &tail, error))
    return FALSE;
  const SignetMatch *match = cms_claims_match(unseal->claims);
  unseal->result = (CmsUnsealed){
    .authenticated = tail.cipher->gcm,
    .cipher = g_strdup(tail.cipher->name),
    .weak = tail.cipher->nid == NID_des_ede3_cbc,
    .key = g_strdup(match->key),
    .id = g_strdup(match->id),
  };
  return TRUE;
}

/* ---- the sink ---- */

static gboolean
unseal_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  return cms_split_push(((Unseal *)sink)->split, bytes, length, error);
}

static void
unseal_free(BaseSink *sink)
{
  Unseal *unseal = (Unseal *)sink;
  base_sink_free(unseal->opener);
  g_clear_pointer(&unseal->spool, base_spool_free);
  base_secret_free(unseal->key);
  cms_claims_free(unseal->claims);
  cms_enveloped_free(unseal->head);
  cms_split_free(unseal->split);
  g_free(unseal->result.cipher);
  g_free(unseal->result.key);
  g_free(unseal->result.id);
  g_free(unseal);
}

BaseSink *
cms_unseal_with(const CmsKeys *keys, BaseSink *out)
{
  static const BaseSinkClass klass = { unseal_write, unseal_finish, unseal_free };
  static const CmsSplitEvents events = { take_recipient, take_head, take_content };
  Unseal *unseal = g_new0(Unseal, 1);
  unseal->sink.klass = &klass;
  unseal->out = out;
  unseal->keys = *keys;
  unseal->claims = cms_claims_new(keys);
  unseal->split = cms_split_new(&events, unseal);
  return &unseal->sink;
}

BaseSink *
cms_unseal_new(SignetClient *client, BaseSink *out)
{
  CmsKeys keys = cms_keys_of(client);
  return cms_unseal_with(&keys, out);
}

const CmsUnsealed *
cms_unseal_result(BaseSink *sink)
{
  const Unseal *unseal = (const Unseal *)sink;
  return unseal->sink.finished && !unseal->sink.failed ? &unseal->result : NULL;
}
