/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hand does to a card, done to the sandbox's token. */
#include "base/deadline.h"
#include "base/error.h"
#include "sandbox/fill.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEN_MS 15000
#define POLL_US 10000
#define NAME_SIZE_MAX 256

static const char *
own_folder(void)
{
  const char *folder = g_getenv("SIGNET_SANDBOX_DIR");
  return folder && g_path_is_absolute(folder) ? folder : NULL;
}

gboolean
sandbox_check_inside(GError **error)
{
  struct stat info;
  const char *folder = own_folder();
  g_autofree char *note = folder ? g_build_filename(folder, SANDBOX_TOKEN_FILE, NULL) : NULL;
  g_autofree char *socket = folder ? g_build_filename(folder, SANDBOX_SOCKET, NULL) : NULL;
  /* With another socket the wrong PIN would go to the person's own signetd. */
  if (note && lstat(note, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
      g_strcmp0(g_getenv("SIGNET_SOCKET"), socket) == 0)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_USAGE,
                        "`signet sandbox do` is for commands inside a sandbox; start one with "
                        "signet sandbox");
}

/* (nullable) The token's folder, `in` its place or pulled out. */
static char *
token_path(gboolean in, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *note = g_build_filename(own_folder(), SANDBOX_TOKEN_FILE, NULL);
  gsize length = 0;
  if (!g_file_get_contents(note, &name, &length, NULL) || length == 0 || length > NAME_SIZE_MAX ||
      strchr(name, '/') || name[0] == '.') {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s does not name the token", note);
    return NULL;
  }
  return g_build_filename(own_folder(), in ? SANDBOX_TOKENS : SANDBOX_PULLED, name, NULL);
}

static gboolean
is_seen(SignetClient *client, gboolean *ret_present, GError **error)
{
  g_autoptr(GPtrArray) tokens = signet_token_list(client, error);
  if (!tokens)
    return FALSE;
  *ret_present = FALSE;
  for (guint i = 0; i < tokens->len; i++) {
    const SignetToken *token = tokens->pdata[i];
    if (g_strcmp0(token->label, SANDBOX_LABEL) == 0 && token->state == SIGNET_TOKEN_PRESENT)
      *ret_present = TRUE;
  }
  return TRUE;
}

static gboolean
wait_until(SignetClient *client, gboolean wanted, GError **error)
{
  BaseDeadline deadline = base_deadline_in(SEEN_MS);
  gboolean present = !wanted;
  while (is_seen(client, &present, error)) {
    if (present == wanted)
      return TRUE;
    if (base_deadline_passed(deadline))
      return base_error_set(error, SIGNET_ERROR_TIMEOUT,
                            "signetd did not notice the token within %d seconds", SEEN_MS / 1000);
    g_usleep(POLL_US);
  }
  return FALSE;
}

/* One that is there already stays; so the same act twice is no error. */
static gboolean
move_token(SignetClient *client, gboolean in, GError **error)
{
  g_autofree char *from = token_path(!in, error);
  g_autofree char *to = from ? token_path(in, error) : NULL;
  if (!to)
    return FALSE;
  if (rename(from, to) != 0 && access(to, F_OK) != 0)
    return base_error_set_errno(error, errno, "cannot move %s", from);
  return wait_until(client, in, error);
}

/* Of the same length, and surely another. */
static char *
wrong_pin(void)
{
  const char *pin = g_getenv("SIGNET_SANDBOX_PIN");
  char *wrong = g_strdup(pin && strlen(pin) >= 4 ? pin : "0000");
  wrong[0] = wrong[0] == '9' ? '0' : (char)(wrong[0] + 1);
  return wrong;
}

static gboolean
spend_try(SignetClient *client, GError **error)
{
  g_autofree char *pin = wrong_pin();
  g_autoptr(GError) refused = NULL;
  if (!signet_token_lock(client, SANDBOX_LABEL, NULL, error))
    return FALSE;
  gboolean opened = signet_token_unlock(client, SANDBOX_LABEL, pin, TRUE, NULL, &refused);
  if (opened)
    return base_error_set(error, SIGNET_ERROR_FAILED, "the token took the wrong PIN");
  if (g_error_matches(refused, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT) ||
      g_error_matches(refused, SIGNET_ERROR, SIGNET_ERROR_PIN_BLOCKED))
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&refused));
  return FALSE;
}

gboolean
sandbox_act(SignetClient *client, SandboxAct act, GError **error)
{
  if (!sandbox_check_inside(error))
    return FALSE;
  if (act == SANDBOX_WRONG_PIN)
    return spend_try(client, error);
  return move_token(client, act == SANDBOX_INSERT, error);
}
