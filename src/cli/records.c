/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"
#include "wire/json.h"

#include <string.h>

json_t *
cli_json_text(const char *text)
{
  /* Not UTF-8: shown, as in the tables, rather than lost. */
  if (text && !g_utf8_validate(text, -1, NULL)) {
    g_autofree char *safe = cli_safe(text);
    return json_string(safe);
  }
  return text ? json_string(text) : json_null();
}

json_t *
cli_json_strv(char *const *words)
{
  json_t *array = json_array();
  for (int i = 0; words && words[i]; i++)
    json_array_append_new(array, cli_json_text(words[i]));
  return array;
}

json_t *
cli_json_time(gint64 seconds)
{
  g_autoptr(GDateTime) when = seconds ? g_date_time_new_from_unix_utc(seconds) : NULL;
  g_autofree char *text = when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%SZ") : NULL;
  return cli_json_text(text);
}

const char *
cli_token_state(const SignetToken *token)
{
  switch (token->state) {
  case SIGNET_TOKEN_PRESENT:
    return "present";
  case SIGNET_TOKEN_BLANK:
    return "blank";
  case SIGNET_TOKEN_ABSENT:
    return "absent";
  case SIGNET_TOKEN_DOWN:
  default:
    return "down";
  }
}

static json_t *
json_pin(const SignetPin *pin)
{
  json_t *object = json_object();
  json_object_set_new(object, "set", json_boolean(pin->set));
  json_object_set_new(object, "tries_left",
                      pin->tries_left >= 0 ? json_integer(pin->tries_left) : json_null());
  json_object_set_new(object, "count_low", json_boolean(pin->count_low));
  json_object_set_new(object, "final_try", json_boolean(pin->final_try));
  json_object_set_new(object, "blocked", json_boolean(pin->blocked));
  json_object_set_new(object, "must_change", json_boolean(pin->must_change));
  return object;
}

json_t *
cli_json_token(const SignetToken *token)
{
  json_t *object = json_object();
  json_object_set_new(object, "label", cli_json_text(token->label));
  json_object_set_new(object, "serial", cli_json_text(token->serial));
  json_object_set_new(object, "manufacturer", cli_json_text(token->manufacturer));
  json_object_set_new(object, "model", cli_json_text(token->model));
  json_object_set_new(object, "firmware", cli_json_text(token->firmware));
  json_object_set_new(object, "uri", cli_json_text(token->uri));
  json_object_set_new(object, "profile", cli_json_text(token->profile));
  json_object_set_new(object, "module", cli_json_text(token->module));
  json_object_set_new(object, "slot", cli_json_text(token->slot));
  json_object_set_new(object, "state", cli_json_text(cli_token_state(token)));
  json_object_set_new(object, "problem", cli_json_text(token->problem));
  json_object_set_new(object, "login_required", json_boolean(token->login_required));
  json_object_set_new(object, "locked", json_boolean(token->locked));
  json_object_set_new(object, "protected_path", json_boolean(token->protected_path));
  json_object_set_new(object, "read_only", json_boolean(token->read_only));
  json_object_set_new(object, "soft", json_boolean(token->soft));
  json_object_set_new(object, "lost", json_boolean(token->lost));
  json_object_set_new(object, "user_pin", json_pin(&token->user_pin));
  json_object_set_new(object, "so_pin", json_pin(&token->so_pin));
  json_object_set_new(object, "last_seen", cli_json_time(token->last_seen));
  return object;
}

json_t *
cli_json_module(const SignetModule *module)
{
  json_t *object = json_object();
  json_object_set_new(object, "name", cli_json_text(module->name));
  json_object_set_new(object, "state", cli_json_text(module->state));
  json_object_set_new(object, "path", cli_json_text(module->path));
  json_object_set_new(object, "description", cli_json_text(module->description));
  json_object_set_new(object, "version", cli_json_text(module->version));
  json_object_set_new(object, "tokens", json_integer(module->tokens));
  json_object_set_new(object, "problem", cli_json_text(module->problem));
  json_object_set_new(object, "package", cli_json_text(module->package));
  return object;
}

static json_t *
json_bits(guint bits, const char *const *names, gsize n)
{
  json_t *array = json_array();
  for (gsize i = 0; i < n; i++)
    if (bits & (1u << i))
      json_array_append_new(array, json_string(names[i]));
  return array;
}

json_t *
cli_json_uses(guint use)
{
  static const char *const names[] = { "sign", "encrypt", "auth", "ca" };
  return json_bits(use, names, G_N_ELEMENTS(names));
}

json_t *
cli_json_abilities(guint can)
{
  static const char *const names[] = { "sign", "decrypt", "derive" };
  return json_bits(can, names, G_N_ELEMENTS(names));
}

json_t *
cli_json_certificate(const SignetCertificate *certificate)
{
  json_t *object = json_object();
  json_object_set_new(object, "fingerprint", cli_json_text(certificate->fingerprint));
  json_object_set_new(object, "subject", cli_json_text(certificate->subject));
  json_object_set_new(object, "issuer", cli_json_text(certificate->issuer));
  json_object_set_new(object, "serial", cli_json_text(certificate->serial));
  json_object_set_new(object, "name", cli_json_text(certificate->name));
  json_object_set_new(object, "addresses", cli_json_strv(certificate->addresses));
  json_object_set_new(object, "not_before", cli_json_time(certificate->not_before));
  json_object_set_new(object, "not_after", cli_json_time(certificate->not_after));
  json_object_set_new(object, "use", cli_json_uses(certificate->use));
  json_object_set_new(object, "self_signed", json_boolean(certificate->self_signed));
  return object;
}

static json_t *
json_key(const SignetKey *key)
{
  json_t *object = json_object();
  json_object_set_new(object, "key", cli_json_text(key->key));
  json_object_set_new(object, "kind", cli_json_text(key->kind));
  json_object_set_new(object, "label", cli_json_text(key->label));
  json_object_set_new(object, "tokens", cli_json_strv(key->tokens));
  json_object_set_new(object, "absent", cli_json_strv(key->absent));
  json_object_set_new(object, "can", cli_json_abilities(key->can));
  json_object_set_new(object, "locked", json_boolean(key->locked));
  json_object_set_new(object, "always_authenticate", json_boolean(key->always_authenticate));
  json_object_set_new(object, "extractable", json_boolean(key->extractable));
  json_t *certificates = json_array();
  for (guint i = 0; i < key->certificates->len; i++)
    json_array_append_new(certificates,
                          cli_json_certificate(g_ptr_array_index(key->certificates, i)));
  json_object_set_new(object, "certificates", certificates);
  return object;
}

json_t *
cli_json_id(const SignetId *id)
{
  json_t *object = json_object();
  json_object_set_new(object, "id", cli_json_text(id->id));
  json_object_set_new(object, "name", cli_json_text(id->name));
  json_object_set_new(object, "addresses", cli_json_strv(id->addresses));
  json_object_set_new(object, "default", json_boolean(id->is_default));
  json_t *keys = json_array();
  for (guint i = 0; i < id->keys->len; i++)
    json_array_append_new(keys, json_key(g_ptr_array_index(id->keys, i)));
  json_object_set_new(object, "keys", keys);
  return object;
}

/* Valid now counts more than newest. */
static gboolean
is_better(const SignetCertificate *certificate, const SignetCertificate *best, gint64 now)
{
  if (!best)
    return TRUE;
  gboolean valid = certificate->not_before <= now && now <= certificate->not_after;
  gboolean best_valid = best->not_before <= now && now <= best->not_after;
  return valid != best_valid ? valid : certificate->not_before > best->not_before;
}

const SignetCertificate *
cli_newest_certificate(const SignetId *id, guint uses, const SignetKey **ret_key)
{
  const SignetCertificate *best = NULL;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  for (guint k = 0; k < id->keys->len; k++) {
    const SignetKey *key = g_ptr_array_index(id->keys, k);
    for (guint i = 0; i < key->certificates->len; i++) {
      const SignetCertificate *certificate = g_ptr_array_index(key->certificates, i);
      if ((uses && !(certificate->use & uses)) || !is_better(certificate, best, now))
        continue;
      best = certificate;
      if (ret_key)
        *ret_key = key;
    }
  }
  return best;
}
