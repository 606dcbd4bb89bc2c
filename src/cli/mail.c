/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mail.h"

#include "base/error.h"
#include "base/path.h"

#include <dlfcn.h>
#include <string.h>

static const CliMailPlugin *plugin;

/* Stays loaded: GObject's types cannot be taken back. */
static gboolean
load(GError **error)
{
  if (plugin)
    return TRUE;
  g_autofree char *path = base_path_program(CLI_MAIL_PLUGIN, NULL);
  void *file = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
  const CliMailPlugin *found = file ? dlsym(file, CLI_MAIL_SYMBOL) : NULL;
  if (!found)
    return base_error_set(error, SIGNET_ERROR_FAILED,
                          "cannot load %s, which reads mail: %s; install signet again",
                          path ? path : CLI_MAIL_PLUGIN, path ? dlerror() : "it is not there");
  if (strcmp(found->version, SIGNET_VERSION) != 0)
    return base_error_set(error, SIGNET_ERROR_VERSION,
                          "%s is of version %s, signet of %s; install signet again", path,
                          found->version, SIGNET_VERSION);
  plugin = found;
  return TRUE;
}

CliMail *
cli_mail_read(GBytes *message, GError **error)
{
  return load(error) ? plugin->read(message, error) : NULL;
}

void
cli_mail_free(CliMail *mail)
{
  if (mail)
    plugin->free(mail);
}
