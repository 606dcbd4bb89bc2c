/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A key pair made on a token, by whichever verb. */

#include "cli/cli.h"

/* Where it is refused for want of a backup, a person on the terminal decides. */
SignetGenerated *cli_generate(Cli *cli, const SignetGenerate *request, GError **error);
