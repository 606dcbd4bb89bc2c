/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* gpg-agent with gnupg-pkcs11-scd in scdaemon's place: each client is a connection to the agent's
 * socket. "gpg-agent" signs as gpgsm does (SIGKEY, SETHASH, PKSIGN, the key a stub that LEARN
 * made); "gpg-scd" passes SETDATA and PKSIGN straight on. The PIN goes by loopback pinentry. */

#include "peer.h"

#include <assuan.h>
#include <string.h>

#define RSA_2048_SIZE 256

static const char *pin;

typedef struct {
  assuan_context_t agent;
  char *grip; /* the key's name to the agent */
  char *id;   /* and to the card daemon */
} Connection;

static void
connection_free(gpointer data)
{
  Connection *connection = data;

  assuan_release(connection->agent);
  g_free(connection->grip);
  g_free(connection->id);
  g_free(connection);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Connection, connection_free)

static gpg_error_t
give_pin(void *agent, const char *inquiry)
{
  /* The agent asks "PASSPHRASE" in loopback mode; INQUIRE_MAXLEN came before it as a status. */
  return g_str_has_prefix(inquiry, "PASSPHRASE") ? assuan_send_data(agent, pin, strlen(pin))
                                                 : gpg_error(GPG_ERR_UNKNOWN_COMMAND);
}

static gpg_error_t
collect_data(void *buffer, const void *data, size_t len)
{
  GByteArray *bytes = buffer;

  if (bytes && bytes->len + len <= PEER_MAX_SIGNATURE)
    g_byte_array_append(bytes, data, (guint)len);
  return 0;
}

static gboolean
ask(Connection *connection, const char *command, GByteArray *data, GError **error)
{
  gpg_error_t rc = assuan_transact(connection->agent, command, collect_data, data, give_pin,
                                   connection->agent, NULL, NULL);

  return rc == 0 || peer_fail(error, "%.*s: %s", (int)strcspn(command, "0123456789"), command,
                              gpg_strerror(rc));
}

/* "KEYPAIRINFO GRIP MANUFACTURER/MODEL/SERIAL/LABEL/ID", one per RSA key: there is only ours. */
static gpg_error_t
note_key(void *data, const char *status)
{
  Connection *connection = data;
  g_auto(GStrv) words = g_strsplit(status, " ", 3);

  if (g_str_equal(words[0], "KEYPAIRINFO") && words[1] && words[2] && !connection->id) {
    connection->grip = g_strdup(words[1]);
    connection->id = g_strdup(words[2]);
  }
  return 0;
}

/* LEARN --sendinfo also leaves the stubs of the keys in the agent's folder. */
static gboolean
learn(Connection *connection, GError **error)
{
  gpg_error_t rc = assuan_transact(connection->agent, "LEARN --sendinfo", NULL, NULL, give_pin,
                                   connection->agent, note_key, connection);

  if (rc || !connection->id)
    return peer_fail(error, "LEARN: %s", rc ? gpg_strerror(rc) : "no key");
  return TRUE;
}

static gboolean
load(const PeerTarget *target, GError **error)
{
  pin = target->pin;
  /* "supports (for the time being) only RSA key pairs": gnupg-pkcs11-scd(1). */
  return target->rsa || peer_fail(error, "gnupg-pkcs11-scd has no EC keys");
}

static gpointer
open_connection(const PeerTarget *target G_GNUC_UNUSED, GError **error)
{
  g_autoptr(Connection) connection = g_new0(Connection, 1);
  g_autofree char *socket = g_build_filename(g_getenv("GNUPGHOME"), "S.gpg-agent", NULL);
  gpg_error_t rc = assuan_new(&connection->agent);

  if (!rc)
    rc = assuan_socket_connect(connection->agent, socket, ASSUAN_INVALID_PID, 0);
  if (rc) {
    peer_fail(error, "gpg-agent's socket: %s", gpg_strerror(rc));
    return NULL;
  }
  if (!ask(connection, "OPTION pinentry-mode=loopback", NULL, error) || !learn(connection, error))
    return NULL;
  return g_steal_pointer(&connection);
}

static void
hex(const guint8 *digest, char text[static 2 * PEER_DIGEST_SIZE + 1])
{
  for (guint i = 0; i < PEER_DIGEST_SIZE; i++)
    g_snprintf(text + 2 * i, 3, "%02X", digest[i]);
}

static gboolean
take(const guint8 *data, gsize len, guint8 *signature, gsize *ret_len)
{
  memcpy(signature, data, len);
  *ret_len = len;
  return TRUE;
}

static gboolean
sign_by_scd(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len,
            GError **error)
{
  Connection *connection = client;
  g_autoptr(GByteArray) bytes = g_byte_array_sized_new(PEER_MAX_SIGNATURE);
  char digits[2 * PEER_DIGEST_SIZE + 1];

  hex(digest, digits);
  g_autofree char *set_data = g_strconcat("SCD SETDATA ", digits, NULL);
  g_autofree char *sign = g_strconcat("SCD PKSIGN --hash=sha256 ", connection->id, NULL);
  return ask(connection, set_data, NULL, error) && ask(connection, sign, bytes, error) &&
         take(bytes->data, bytes->len, signature, ret_len);
}

/* The agent's answer is a canonical S-expression, (7:sig-val(3:rsa(1:s257:…))), whose number has a
 * zero byte in front where the next is 0x80 or more, and none at all where it begins with zeros. */
static gboolean
take_value(GByteArray *bytes, guint8 *signature, gsize *ret_len, GError **error)
{
  static const char before[] = "(7:sig-val(3:rsa(1:s";
  gsize start = sizeof before - 1;

  g_byte_array_append(bytes, (const guint8 *)"", 1);
  if (!g_str_has_prefix((const char *)bytes->data, before))
    return peer_fail(error, "PKSIGN: not a signature");
  char *colon;
  guint64 len = g_ascii_strtoull((const char *)bytes->data + start, &colon, 10);
  const guint8 *value = (const guint8 *)colon + 1;
  if (*colon != ':' || len > (gsize)(bytes->data + bytes->len - value))
    return peer_fail(error, "PKSIGN: not a signature");
  for (; len > 0 && *value == 0; len--)
    value++;
  if (len > RSA_2048_SIZE)
    return peer_fail(error, "PKSIGN: a signature of %" G_GUINT64_FORMAT " bytes", len);
  memset(signature, 0, RSA_2048_SIZE - len);
  memcpy(signature + RSA_2048_SIZE - len, value, len);
  *ret_len = RSA_2048_SIZE;
  return TRUE;
}

static gboolean
sign_by_agent(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len,
              GError **error)
{
  Connection *connection = client;
  g_autoptr(GByteArray) bytes = g_byte_array_sized_new(PEER_MAX_SIGNATURE);
  char digits[2 * PEER_DIGEST_SIZE + 1];

  hex(digest, digits);
  g_autofree char *set_key = g_strconcat("SIGKEY ", connection->grip, NULL);
  g_autofree char *set_hash = g_strconcat("SETHASH --hash=sha256 ", digits, NULL);
  return ask(connection, set_key, NULL, error) && ask(connection, set_hash, NULL, error) &&
         ask(connection, "PKSIGN", bytes, error) && take_value(bytes, signature, ret_len, error);
}

static void
unload(void)
{
}

const Peer peer_gpg_agent = { "gpg-agent",     load,  open_connection, sign_by_agent,
                              connection_free, unload };
const Peer peer_gpg_scd = {
  "gpg-scd", load, open_connection, sign_by_scd, connection_free, unload
};
