/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a BaseConfig holds, for the files of this folder. */

#include "base/config.h"

#define BASE_CONFIG_GROUP_ENFORCED "enforced"

struct BaseConfig {
  GKeyFile *system; /* (nullable) */
  GKeyFile *user;   /* (nullable) */
  char *system_path;
  char *user_path;
};
