/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages that are made, for `sign` and `encrypt`: the steps that both take. */

#include "cli/signer.h"
#include "mime/write.h"

/* Who sends it is said by --id, by one address in From, or by no From at all (the default ID): else
 * AMBIGUOUS, never another ID in silence. `entity` NULL: a file. */
gboolean cli_making_check_from(const Cli *cli, const MimeEntity *entity, GError **error);

/* A detached signature of a mail's entity, or of a file (`entity` NULL). */
GBytes *cli_making_signature(Cli *cli, const CliSigner *signer, MimeEntity *entity,
                             BaseInput *input, GError **error);
/* The content of `input` or `entity` inside its signature, into `to`, which is finished. */
gboolean cli_making_opaque(Cli *cli, const CliSigner *signer, MimeEntity *entity, BaseInput *input,
                           BaseSink *to, GError **error);

/* The output. A copy of our own cannot change while it is read: then nothing but the output
 * itself can fail any more, if the caller says that the keys were asked. */
BaseSink *cli_making_output(Cli *cli, const BaseInput *input, gboolean keys_asked, GError **error);

/* Runs while a large message is worked on; NULL for a small one. */
CliSpinner *cli_making_spinner(const Cli *cli, const BaseInput *input, const char *doing);
