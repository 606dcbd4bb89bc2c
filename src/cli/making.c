/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/making.h"

#include "base/error.h"

#include <string.h>
#include <unistd.h>

#define LARGE (8 * 1024 * 1024) /* smaller ones are done before a spinner would show */

gboolean
cli_making_check_from(const Cli *cli, const MimeEntity *entity, GError **error)
{
  return !entity || cli_text(cli, "id") || !mime_entity_from_is_unclear(entity) ||
         base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                        "the mail's From does not name one person; say with --id who sends it");
}

static gboolean
push_content(MimeEntity *entity, BaseInput *input, BaseSink *to, GError **error)
{
  gboolean pushed = entity ? mime_entity_push(entity, to, error)
                           : base_input_read(input, 0, base_input_length(input), to, error);
  return pushed && base_sink_finish(to, error);
}

GBytes *
cli_making_signature(Cli *cli, const CliSigner *signer, MimeEntity *entity, BaseInput *input,
                     GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(CMS_STRUCTURE_MAX);
  g_autoptr(BaseSink) sign = cli_signer_sink(cli, signer, TRUE, -1, memory, error);
  return sign && push_content(entity, input, sign, error) ? base_sink_memory_bytes(memory) : NULL;
}

gboolean
cli_making_opaque(Cli *cli, const CliSigner *signer, MimeEntity *entity, BaseInput *input,
                  BaseSink *to, GError **error)
{
  gint64 length = base_input_length(input);
  if (entity && !mime_entity_length(entity, &length, error))
    return FALSE;
  g_autoptr(BaseSink) sign = cli_signer_sink(cli, signer, FALSE, length, to, error);
  return sign && push_content(entity, input, sign, error);
}

BaseSink *
cli_making_output(Cli *cli, const BaseInput *input, gboolean keys_asked, GError **error)
{
  const char *cms = cli_text(cli, "cms");
  gboolean pem = g_strcmp0(cms, "pem") == 0;
  gboolean binary = cms && !pem;
  BaseSink *output = keys_asked && base_input_is_kept(input)
                         ? cli_output_direct(cli, binary, error)
                         : cli_output_new(cli, binary, FALSE, error);
  return output && pem ? cli_output_pem(output) : output;
}

CliSpinner *
cli_making_spinner(const Cli *cli, const BaseInput *input, const char *doing)
{
  gboolean shown = cli_output_is_stdout(cli) && isatty(STDOUT_FILENO);
  return base_input_length(input) < LARGE || shown ? NULL : cli_spinner_start(cli, doing);
}
