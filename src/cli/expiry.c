/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/expiry.h"

#define DAY (24 * 60 * 60)
#define SOON (30 * DAY)

static gint64
now(void)
{
  return g_get_real_time() / G_USEC_PER_SEC;
}

gint64
cli_expiry(const SignetId *id)
{
  static const guint uses[] = { SIGNET_USE_SIGN, SIGNET_USE_ENCRYPT };
  gint64 first = 0;
  for (gsize i = 0; i < G_N_ELEMENTS(uses); i++) {
    const SignetCertificate *newest = cli_newest_certificate(id, uses[i], NULL);
    if (newest && (!first || newest->not_after < first))
      first = newest->not_after;
  }
  const SignetCertificate *any = first ? NULL : cli_newest_certificate(id, 0, NULL);
  return any ? any->not_after : first;
}

gboolean
cli_expires_soon(gint64 ends)
{
  return ends && ends < now() + SOON;
}

char *
cli_expiry_sentence(const char *id, gint64 ends)
{
  g_autofree char *day = cli_day(ends);
  gint64 days = (ends - now()) / DAY;
  if (ends < now())
    return g_strdup_printf("the certificate of %s ended on %s: signet id renew %s", id, day, id);
  if (days == 0)
    return g_strdup_printf("the certificate of %s ends today or tomorrow (%s): signet id renew %s",
                           id, day, id);
  return g_strdup_printf("the certificate of %s ends on %s, in %" G_GINT64_FORMAT
                         " %s: signet id renew %s",
                         id, day, days, days == 1 ? "day" : "days", id);
}
