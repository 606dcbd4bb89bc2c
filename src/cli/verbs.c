/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

const CliVerb *const cli_verbs[] = {
  &cli_token_list,    &cli_token_show,   &cli_token_init,  &cli_token_pin,
  &cli_token_unblock, &cli_token_unlock, &cli_token_lock,  &cli_token_modules,
  &cli_token_watch,   &cli_id_list,      &cli_id_show,     &cli_id_new,
  &cli_id_request,    &cli_id_install,   &cli_id_cert,     &cli_id_default,
  &cli_id_remove,     &cli_sign,         &cli_verify,      &cli_encrypt,
  &cli_decrypt,       &cli_info,         &cli_status_verb, NULL,
};

const CliOption cli_common_options[] = {
  { "help", 'h', CLI_FLAG, NULL, "say what the verb does, with an example" },
  { "version", 'V', CLI_FLAG, NULL, "say which version this is" },
  { "json", 0, CLI_FLAG, NULL, "print the result as one JSON object" },
  { "json-fd", 0, CLI_NUMBER, "N", "print that object to descriptor N" },
  { "status-fd", 0, CLI_NUMBER, "N", "print a line for each event to descriptor N" },
  { "socket", 0, CLI_TEXT, "ADDR", "the daemon's socket" },
  { "token", 0, CLI_TEXT, "T", "this token: its label, serial number or URI" },
  { "pin-fd", 0, CLI_NUMBER, "N", "read PINs from descriptor N, one a line" },
  { "so-pin-fd", 0, CLI_NUMBER, "N", "read the SO PIN or PUK from descriptor N" },
  { "quiet", 'q', CLI_FLAG, NULL, "print no remarks" },
  { "no-input", 0, CLI_FLAG, NULL, "never ask anybody anything" },
  { "yes", 'y', CLI_FLAG, NULL, "take yes for an answer" },
  { 0 },
};

const char *const cli_later_verbs[] = {
  "start",     "import",   "token erase", "token release", "token forget", "token lost",
  "id enroll", "id renew", "id address",  "id policy",     "id copy",      "contact",
  "backup",    "restore",  "export",      "move",          "setup",        "sandbox",
  "sendmail",  "policy",   "mutt",        "doctor",        "audit",        "config",
  "trust",     NULL,
};
