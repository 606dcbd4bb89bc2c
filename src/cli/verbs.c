/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

const CliVerb *const cli_verbs[] = {
  &cli_start_verb,    &cli_import_verb,  &cli_token_list,
  &cli_token_show,    &cli_token_init,   &cli_token_pin,
  &cli_token_unblock, &cli_token_unlock, &cli_token_lock,
  &cli_token_modules, &cli_token_watch,  &cli_token_erase,
  &cli_token_forget,  &cli_token_lost,   &cli_id_list,
  &cli_id_show,       &cli_id_new,       &cli_id_request,
  &cli_id_install,    &cli_id_cert,      &cli_id_enroll,
  &cli_id_renew,      &cli_id_address,   &cli_id_default,
  &cli_id_policy,     &cli_id_remove,    &cli_sign,
  &cli_verify,        &cli_encrypt,      &cli_decrypt,
  &cli_info,          &cli_trust_list,   &cli_trust_add,
  &cli_trust_remove,  &cli_trust_why,    &cli_status_verb,
  &cli_sandbox_verb,  &cli_config_show,  NULL,
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
  { "passphrase-fd", 0, CLI_NUMBER, "N", "read passphrases from descriptor N, one a line" },
  { "quiet", 'q', CLI_FLAG, NULL, "print no remarks" },
  { "no-input", 0, CLI_FLAG, NULL, "never ask anybody anything" },
  { "yes", 'y', CLI_FLAG, NULL, "take yes for an answer" },
  { 0 },
};

const char *const cli_later_verbs[] = {
  "token release", "id copy",  "contact", "backup", "restore", "export", "move",
  "setup",         "sendmail", "policy",  "mutt",   "doctor",  "audit",  NULL,
};
