/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Token families (tokens/NAME.profile, /etc/signet/tokens.d): where a family's
 * PKCS#11 module is, and how it behaves. The broker reads all of them to know which
 * modules to host; a host reads its own. Format: GKeyFile, documented in tokens/README.md.
 *
 *   [profile]  name, description
 *   [module]   files=opensc-pkcs11.so;  package=opensc-pkcs11  init=…  environment=NAME=VALUE;
 *   [token]    operations (at once on one token, 1), sessions (at most, 4),
 *              lock=module|token, pin-scope=token|device|tpm, pin-max (0: not known)
 *   [key]      oaep=sha1;sha256; (hashes that work natively), raw-rsa=yes|no,
 *              wrap=yes|no|probe
 *   [deadline] operation, generate, start (milliseconds)
 */

#include <glib.h>

typedef struct {
  char *name;
  char *description;
  char **files;       /* module file names, or absolute paths, in order of preference */
  char *package;      /* (nullable) Debian package that has it */
  char *init;         /* (nullable) string for C_Initialize's pReserved */
  char **environment; /* NAME=VALUE for the host; never NULL */
  int operations;
  int sessions;
  gboolean lock_module;
  char *pin_scope;
  int pin_max;
  char **oaep;
  gboolean raw_rsa;
  char *wrap;
  guint operation_ms;
  guint generate_ms;
  guint start_ms;
} BaseProfile;

/* BAD_INPUT names file and key. */
BaseProfile *base_profile_load(const char *path, GError **error);
void base_profile_free(BaseProfile *profile);

/* The built-in defaults for a module that no profile knows. */
BaseProfile *base_profile_default(const char *module_path);

/* All profiles (installed folder, then /etc/signet/tokens.d, later ones replace by name);
 * (element-type BaseProfile). A bad file is left out and named in *ret_problems (strv). */
GPtrArray *base_profile_load_all(char ***ret_problems);

/* First of `files` that exists in the module folders of this system; NULL: none. */
char *base_profile_find_module(const BaseProfile *profile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseProfile, base_profile_free)
