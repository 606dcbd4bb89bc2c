/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Each verb's own description, defined in the file of its name. */

#include "cli/cli.h"

extern const CliVerb cli_token_list;
extern const CliVerb cli_token_show;
extern const CliVerb cli_token_init;
extern const CliVerb cli_token_pin;
extern const CliVerb cli_token_unblock;
extern const CliVerb cli_token_unlock;
extern const CliVerb cli_token_lock;
extern const CliVerb cli_token_modules;
extern const CliVerb cli_token_watch;
extern const CliVerb cli_id_list;
extern const CliVerb cli_id_show;
extern const CliVerb cli_id_new;
extern const CliVerb cli_id_request;
extern const CliVerb cli_id_install;
extern const CliVerb cli_id_cert;
extern const CliVerb cli_id_default;
extern const CliVerb cli_id_remove;
extern const CliVerb cli_sign;
extern const CliVerb cli_verify;
extern const CliVerb cli_encrypt;
extern const CliVerb cli_decrypt;
extern const CliVerb cli_info;
extern const CliVerb cli_status_verb;
extern const CliVerb cli_id_address;
extern const CliVerb cli_id_enroll;
extern const CliVerb cli_id_policy;
extern const CliVerb cli_id_renew;
extern const CliVerb cli_import_verb;
extern const CliVerb cli_start_verb;
extern const CliVerb cli_sandbox_verb;
extern const CliVerb cli_token_erase;
extern const CliVerb cli_token_forget;
extern const CliVerb cli_token_lost;
extern const CliVerb cli_trust_list;
extern const CliVerb cli_trust_add;
extern const CliVerb cli_trust_remove;
extern const CliVerb cli_trust_why;
extern const CliVerb cli_config_show;
extern const CliVerb cli_receipt_make;
extern const CliVerb cli_receipt_check;
