/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/root.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 79
#define FINGERPRINT_DIGITS 64
#define SHOWN_DIGITS 12

const char *
cli_root_name(const BaseCert *certificate)
{
  if (certificate->common_name)
    return certificate->common_name;
  return certificate->addresses[0] ? certificate->addresses[0] : certificate->subject;
}

/* A file that `trust add` made is named by 64 digits: no table has room for them. */
char *
cli_root_origin(const char *origin)
{
  const char *slash = strrchr(origin, '/');
  const char *name = slash ? slash + 1 : origin;
  if (strspn(name, "0123456789abcdef") != FINGERPRINT_DIGITS)
    return g_strdup(origin);
  return g_strdup_printf("%.*s%.*s…%s", (int)(name - origin), origin, SHOWN_DIGITS, name,
                         name + FINGERPRINT_DIGITS);
}

json_t *
cli_json_cert(const BaseCert *certificate)
{
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", cli_json_text(cli_root_name(certificate)),
      "subject", cli_json_text(certificate->subject), "issuer", cli_json_text(certificate->issuer),
      "addresses", cli_json_strv(certificate->addresses), "fingerprint",
      cli_json_text(certificate->fingerprint), "not_before", cli_json_time(certificate->not_before),
      "not_after", cli_json_time(certificate->not_after));
}

json_t *
cli_json_root(const TrustRoot *root)
{
  static const char *const places[] = { "user", "system", "module" };
  json_t *object = cli_json_cert(root->certificate);
  json_object_set_new(object, "place", json_string(places[root->place]));
  json_object_set_new(object, "path", cli_json_text(root->path));
  json_object_set_new(object, "origin", cli_json_text(root->origin));
  json_object_set_new(object, "distrusted_by", cli_json_text(root->distrusted));
  json_object_set_new(object, "issued_until", cli_json_time(root->issued_until));
  return object;
}

const TrustRoot *
cli_root_find(const GPtrArray *roots, const char *fingerprint)
{
  for (guint i = 0; i < roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(roots, i);
    if (strcmp(root->certificate->fingerprint, fingerprint) == 0)
      return root;
  }
  return NULL;
}

void
cli_root_wrap(const Cli *cli, const char *indent, const char *text)
{
  if (cli->json || cli->quiet)
    return;
  g_autofree char *safe = cli_safe(text);
  g_auto(GStrv) words = g_strsplit(safe, " ", -1);
  int column = cli_width(indent);
  printf("%s", indent);
  for (int i = 0; words[i]; i++) {
    int width = cli_width(words[i]);
    if (i > 0 && column + 1 + width > WIDTH) {
      printf("\n%s", indent);
      column = cli_width(indent);
    } else if (i > 0) {
      putchar(' ');
      column++;
    }
    printf("%s", words[i]);
    column += width;
  }
  putchar('\n');
}
