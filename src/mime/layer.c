/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/opened.h"
#include "mime/stage.h"

#include <string.h>

MimeLayer *
mime_layer_new(MimeKind kind, const MimeFound *found)
{
  MimeLayer *layer = g_new0(MimeLayer, 1);
  layer->kind = kind;
  layer->uncovered = mime_beside_phrases(found->beside, kind == MIME_SEALED ? "sealed" : "signed");
  return layer;
}

static void
unsealed_free(CmsUnsealed *unsealed)
{
  if (!unsealed)
    return;
  g_free(unsealed->cipher);
  g_free(unsealed->key);
  g_free(unsealed->id);
  g_free(unsealed);
}

void
mime_layer_free(MimeLayer *layer)
{
  if (!layer)
    return;
  unsealed_free(layer->unsealed);
  cms_verified_free(layer->verified);
  cms_info_free(layer->info);
  g_free(layer->problem);
  g_clear_pointer(&layer->uncovered, g_ptr_array_unref);
  g_free(layer);
}

static CmsUnsealed *
copy_of(const CmsUnsealed *unsealed)
{
  CmsUnsealed *copy = g_memdup2(unsealed, sizeof *unsealed);
  copy->cipher = g_strdup(unsealed->cipher);
  copy->key = g_strdup(unsealed->key);
  copy->id = g_strdup(unsealed->id);
  return copy;
}

/* ---- a signature beside its content ---- */

static GBytes *
read_signature(BaseInput *input, const MimeFound *found, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(CMS_STRUCTURE_MAX);
  g_autoptr(BaseSink) decoder = mime_encoding_decoder(found->encoding, mime_pass_on(memory));
  gboolean good =
      base_input_read(input, found->signature.start, found->signature.length, decoder, error) &&
      base_sink_finish(decoder, error) && base_sink_finish(memory, error);
  if (good)
    return base_sink_memory_bytes(memory);
  g_prefix_error(error, "the signature: ");
  return NULL;
}

static MimeLayer *
open_signed(MimeOpened *opened, BaseInput *input, const MimeFound *found, MimeSource *ret_content,
            GError **error)
{
  g_autoptr(MimeLayer) layer = mime_layer_new(MIME_SIGNED, found);
  g_autoptr(GBytes) signature = read_signature(input, found, error);
  if (!signature)
    return NULL;
  if (opened->depth == MIME_OPEN_LOOK) {
    layer->info = cms_info(signature, error);
    return layer->info ? g_steal_pointer(&layer) : NULL;
  }
  g_autoptr(BaseSink) verifier = cms_verify_detached_new(signature, NULL, error);
  g_autoptr(BaseSink) canonical = verifier ? mime_crlf_new(verifier) : NULL;
  if (!verifier ||
      !base_input_read(input, found->body.start, found->body.length, canonical, error) ||
      !base_sink_finish(canonical, error) || !base_sink_finish(verifier, error))
    return NULL;
  layer->verified = cms_verify_result(verifier, error);
  *ret_content = (MimeSource){ input, found->body, FALSE };
  return layer->verified ? g_steal_pointer(&layer) : NULL;
}

/* ---- CMS with its content inside: which kind, its first bytes say ---- */

typedef struct {
  BaseSink sink;
  MimeOpened *opened;
  gboolean may_open; /* a seal */
  guint8 head[CMS_TYPE_HEAD];
  gsize have;
  CmsType type;
  BaseSink *ends;  /* before the spool */
  BaseSink *stage; /* NULL: not known yet, or `dropped` */
  gboolean dropped;
} Router;

static gboolean
route_unseal(Router *router, GError **error)
{
  CmsKeys keys;
  if (!router->may_open) {
    router->dropped = TRUE;
    return TRUE;
  }
  if (!router->opened->keys(router->opened->data, &keys, error))
    return FALSE;
  router->stage = cms_unseal_with(&keys, router->ends);
  return TRUE;
}

static gboolean
route(Router *router, GError **error)
{
  gboolean look = router->opened->depth == MIME_OPEN_LOOK;
  router->type = cms_type_of(router->head, router->have);
  gboolean sealed = router->type == CMS_TYPE_ENVELOPED || router->type == CMS_TYPE_AUTH_ENVELOPED;
  /* What is no mail is told by its name. */
  if (look || router->type == CMS_TYPE_OTHER)
    router->stage = cms_info_new();
  else if (!sealed)
    router->stage = cms_verify_new(NULL, router->ends);
  else if (!route_unseal(router, error))
    return FALSE;
  return router->dropped || base_sink_write(router->stage, router->head, router->have, error);
}

static gboolean
router_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Router *router = (Router *)sink;
  const guint8 *at = bytes;
  if (!router->stage && !router->dropped) {
    gsize take = MIN(length, CMS_TYPE_HEAD - router->have);
    memcpy(router->head + router->have, at, take);
    router->have += take;
    if (router->have < CMS_TYPE_HEAD)
      return TRUE;
    if (!route(router, error))
      return FALSE;
    at += take;
    length -= take;
  }
  return router->dropped || base_sink_write(router->stage, at, length, error);
}

static gboolean
router_finish(BaseSink *sink, GError **error)
{
  Router *router = (Router *)sink;
  if (!router->stage && !router->dropped && !route(router, error))
    return FALSE;
  return router->dropped || base_sink_finish(router->stage, error);
}

static void
router_clear(Router *router)
{
  base_sink_free(router->stage);
  base_sink_free(router->ends);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Router, router_clear)

static MimeKind
kind_of(const CmsInfo *info)
{
  return info->type == CMS_TYPE_SIGNED         ? MIME_OPAQUE_SIGNED
         : info->type == CMS_TYPE_CERTIFICATES ? MIME_CERTIFICATES
                                               : MIME_SEALED;
}

static MimeLayer *
looked_at(const Router *router, const MimeFound *found, GError **error)
{
  g_autoptr(CmsInfo) info = cms_info_result(router->stage, error);
  if (!info)
    return NULL;
  if (info->type == CMS_TYPE_OTHER) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the mail holds CMS of a type that is no mail: %s", info->type_name);
    return NULL;
  }
  MimeLayer *layer = mime_layer_new(kind_of(info), found);
  layer->info = g_steal_pointer(&info);
  return layer;
}

static MimeLayer *
verified_by(const Router *router, const MimeFound *found, GError **error)
{
  g_autoptr(MimeLayer) layer = mime_layer_new(MIME_OPAQUE_SIGNED, found);
  layer->verified = cms_verify_result(router->stage, error);
  if (!layer->verified)
    return NULL;
  if (layer->verified->signatures->len == 0)
    layer->kind = MIME_CERTIFICATES;
  return g_steal_pointer(&layer);
}

static MimeLayer *
result_of(const Router *router, const MimeFound *found, GError **error)
{
  if (router->opened->depth == MIME_OPEN_LOOK || router->type == CMS_TYPE_OTHER)
    return looked_at(router, found, error);
  if (router->type == CMS_TYPE_SIGNED)
    return verified_by(router, found, error);
  MimeLayer *layer = mime_layer_new(MIME_SEALED, found);
  if (!router->dropped)
    layer->unsealed = copy_of(cms_unseal_result(router->stage));
  return layer;
}

static gboolean
push(const MimeFound *found, BaseInput *input, Router *router, GError **error)
{
  g_autoptr(BaseSink) decoder = mime_encoding_decoder(found->encoding, mime_pass_on(&router->sink));
  return base_input_read(input, found->body.start, found->body.length, decoder, error) &&
         base_sink_finish(decoder, error) && base_sink_finish(&router->sink, error);
}

static MimeLayer *
open_cms(MimeOpened *opened, BaseInput *input, const MimeFound *found, MimeSource *ret_content,
         GError **error)
{
  static const BaseSinkClass klass = { router_write, router_finish, NULL };
  g_autoptr(BaseSpool) spool = base_spool_new(TRUE, error);
  if (!spool)
    return NULL;
  g_auto(Router) router = {
    .sink.klass = &klass,
    .opened = opened,
    /* A sealed mail that is attached to another one stays what it is. */
    .may_open = opened->depth == MIME_OPEN_ALL && (opened->layers->len == 0 || found->whole),
    .ends = mime_ends_new(base_spool_sink(spool)),
  };
  if (!push(found, input, &router, error))
    return NULL;
  MimeLayer *layer = result_of(&router, found, error);
  if (layer && router.ends->finished && !router.ends->failed) {
    *ret_content = (MimeSource){ .crlf = mime_ends_are_crlf(router.ends) };
    ret_content->input = base_input_from_spool(g_steal_pointer(&spool));
    ret_content->range = mime_range_of(ret_content->input);
  }
  return layer;
}

MimeLayer *
mime_layer_open(MimeOpened *opened, BaseInput *input, const MimeFound *found,
                MimeSource *ret_content, GError **error)
{
  *ret_content = (MimeSource){ .input = NULL };
  return found->kind == MIME_FOUND_SIGNED ? open_signed(opened, input, found, ret_content, error)
                                          : open_cms(opened, input, found, ret_content, error);
}
