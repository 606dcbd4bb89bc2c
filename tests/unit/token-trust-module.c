/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PKCS#11 module for tests: p11-kit's trust module (TRUST_MODULE) over a folder of the test's
 * own (TRUST_PATHS) instead of the system's. */

#include <dlfcn.h>
#include <glib.h>
#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST ours;

static CK_RV
initialise(void *ignored)
{
  g_autofree char *paths = g_strdup_printf("paths='%s'", g_getenv("TRUST_PATHS"));
  CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK, .pReserved = paths };
  (void)ignored;
  return real->C_Initialize(&args);
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
  void *library = dlopen(g_getenv("TRUST_MODULE"), RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get = (CK_C_GetFunctionList)(gintptr)dlsym(library, "C_GetFunctionList");
  CK_RV rv = get(&real);
  ours = *real;
  ours.C_Initialize = initialise;
  *ret_list = &ours;
  return rv;
}
