/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signet-token that loads no module: one token "fake" with PIN 1234 and one key. What it
 * is asked is counted in files of $SIGNET_FAKE_FOLDER (a byte each), and files there make
 * it hang, crash or talk nonsense: see daemon-world.h. */
#include "base/cert.h"
#include "base/error.h"
#include "daemon-fake-many.h"
#include "wire/host.h"
#include "wire/limits.h"
#include "wire/transfer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIN "1234"

/* SubjectPublicKeyInfo of a P-256 key; its point is the curve's generator (SEC 2, 2.4.2). */
static const char spki_hex[] = "3059301306072a8648ce3d020106082a8648ce3d030107034200"
                               "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                               "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

typedef struct {
  WireChannel channel;
  const char *folder;
  gboolean logged_in;
  guint32 flags;
  int key_channel;
  guint32 generation;
  GPtrArray *many; /* (nullable) of a full token */
} Fake;

static char *
read_behaviour(Fake *fake, const char *kind)
{
  g_autofree char *name = g_strconcat("do-", kind, NULL);
  g_autofree char *path = g_build_filename(fake->folder, name, NULL);
  char *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static void
count(Fake *fake, const char *kind)
{
  g_autofree char *name = g_strconcat("asked-", kind, NULL);
  g_autofree char *path = g_build_filename(fake->folder, name, NULL);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1)
    abort();
  close(fd);
}

static void
answer(Fake *fake, guint16 kind, const WirePacker *body)
{
  const WireHeader header = { .length = (guint32)body->length,
                              .serial = fake->channel.header.serial,
                              .kind = kind };
  if (!wire_channel_send(&fake->channel, &header, body->bytes, base_deadline_in(5000), NULL))
    _exit(0);
}

static void
answer_error(Fake *fake, SignetError code, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_auto(WirePacker) body = { 0 };
  base_error_set(&error, code, "%s", text);
  g_autoptr(GBytes) packed = wire_error_pack(error);
  gsize length = 0;
  gconstpointer bytes = g_bytes_get_data(packed, &length);
  wire_pack_raw(&body, bytes, length);
  answer(fake, WIRE_ERROR, &body);
}

static void
answer_tokens(Fake *fake, const char *behaviour)
{
  g_auto(WirePacker) body = { 0 };
  if (strcmp(behaviour, "fail") == 0) {
    answer_error(fake, SIGNET_ERROR_FAILED, "a token does not answer");
    return;
  }
  if (strcmp(behaviour, "none") == 0) {
    fake->generation++;
    fake->logged_in = FALSE;
    wire_pack_u32(&body, 0);
    answer(fake, WIRE_OK, &body);
    return;
  }
  char text[][24] = { "fake", "none", "model", "0123", "1", "1", "slot", "pkcs11:token=fake" };
  WireToken token = { .slot = 7,
                      .generation = fake->generation,
                      .flags = WIRE_TOKEN_INITIALIZED | WIRE_TOKEN_LOGIN_REQUIRED |
                               WIRE_TOKEN_USER_PIN_SET | fake->flags |
                               (fake->logged_in ? WIRE_TOKEN_LOGGED_IN : 0),
                      .label = text[0],
                      .manufacturer = text[1],
                      .model = text[2],
                      .serial = text[3],
                      .firmware = text[4],
                      .hardware = text[5],
                      .slot_description = text[6],
                      .uri = text[7],
                      .min_pin = 4,
                      .max_pin = 16 };
  wire_pack_u32(&body, 1);
  wire_token_pack(&token, &body);
  answer(fake, WIRE_OK, &body);
}

/* The same ones each time, as a token has them. */
static void
answer_many(Fake *fake, guint ids)
{
  g_auto(WirePacker) none = { 0 };
  if (!fake->many)
    fake->many = fake_many_objects(ids);
  for (guint i = 0; i < fake->many->len; i++) {
    g_auto(WirePacker) body = { 0 };
    gsize length = 0;
    gconstpointer bytes = g_bytes_get_data(g_ptr_array_index(fake->many, i), &length);
    wire_pack_raw(&body, bytes, length);
    answer(fake, WIRE_MORE, &body);
  }
  answer(fake, WIRE_OK, &none);
}

static void
answer_objects(Fake *fake, const char *behaviour)
{
  g_auto(WirePacker) body = { 0 };
  g_auto(WirePacker) none = { 0 };
  if (g_str_has_prefix(behaviour, "many ")) {
    answer_many(fake, (guint)strtoul(behaviour + 5, NULL, 10));
    return;
  }
  g_autoptr(GBytes) spki = base_unhex(spki_hex);
  g_autoptr(GBytes) id = g_bytes_new_static("\1", 1);
  g_autofree char *name = base_key_name(g_bytes_get_data(spki, NULL), g_bytes_get_size(spki));
  char label[] = "key";
  char kind[] = "ec:p256";
  const WireObject object = { .kind = WIRE_OBJECT_KEY,
                              .key = name,
                              .label = label,
                              .id = id,
                              .bytes = spki,
                              .flags = WIRE_KEY_SIGN | WIRE_KEY_SENSITIVE,
                              .key_kind = kind };
  wire_pack_u32(&body, 1);
  wire_object_pack(&object, &body);
  answer(fake, WIRE_MORE, &body);
  answer(fake, WIRE_OK, &none);
}

static void
login(Fake *fake, const char *behaviour)
{
  g_auto(WirePacker) none = { 0 };
  WireReader reader;
  gsize length = 0;
  wire_reader_start(&reader, fake->channel.bytes, fake->channel.header.length);
  wire_read_u32(&reader);
  wire_read_u32(&reader);
  wire_read_u8(&reader);
  const guint8 *pin = wire_read_bytes(&reader, WIRE_PIN_MAX, &length);
  if (strcmp(behaviour, "wrong") == 0 || length != strlen(PIN) || memcmp(pin, PIN, length) != 0) {
    answer_error(fake, SIGNET_ERROR_PIN_INCORRECT, "the PIN is wrong");
    return;
  }
  fake->logged_in = TRUE;
  answer(fake, WIRE_OK, &none);
}

static void
operate(Fake *fake)
{
  g_auto(WirePacker) body = { 0 };
  if (!fake->logged_in) {
    answer_error(fake, SIGNET_ERROR_PIN_REQUIRED, "locked");
    return;
  }
  wire_pack_bytes(&body, "signature", 9);
  answer(fake, WIRE_OK, &body);
}

static void
hello(Fake *fake)
{
  g_auto(WirePacker) body = { 0 };
  wire_pack_u32(&body, WIRE_PROTOCOL);
  for (int i = 0; i < 4; i++)
    wire_pack_text(&body, "fake");
  answer(fake, WIRE_OK, &body);
}

static void
abilities(Fake *fake)
{
  g_auto(WirePacker) body = { 0 };
  wire_pack_u32(&body, 1);
  wire_pack_text(&body, "ECDSA");
  wire_pack_u32(&body, WIRE_CAN_EC);
  answer(fake, WIRE_OK, &body);
}

static void
misbehave(Fake *fake, const char *behaviour)
{
  static const char garbage[] = "HTTP/1.1 200 OK\r\n\r\n_______________________________";
  if (g_str_has_prefix(behaviour, "slow "))
    g_usleep(strtoul(behaviour + 5, NULL, 10) * 1000);
  else if (strcmp(behaviour, "hang") == 0)
    for (;;)
      g_usleep(G_USEC_PER_SEC);
  else if (strcmp(behaviour, "crash") == 0)
    abort();
  else if (strcmp(behaviour, "garbage") == 0 &&
           send(fake->channel.fd, garbage, sizeof garbage, MSG_NOSIGNAL) < 0)
    _exit(0);
}

static void
handle(Fake *fake, int fd)
{
  g_auto(WirePacker) none = { 0 };
  const char *kind = wire_host_kind_name(fake->channel.header.kind);
  g_autofree char *lower = g_ascii_strdown(kind, -1);
  g_autofree char *behaviour = read_behaviour(fake, lower);
  count(fake, lower);
  misbehave(fake, behaviour);
  switch (fake->channel.header.kind) {
  case WIRE_HOST_HELLO:
    hello(fake);
    break;
  case WIRE_HOST_TOKENS:
    answer_tokens(fake, behaviour);
    break;
  case WIRE_HOST_OBJECTS:
    answer_objects(fake, behaviour);
    break;
  case WIRE_HOST_ABILITIES:
    abilities(fake);
    break;
  case WIRE_HOST_LOGIN:
    login(fake, behaviour);
    break;
  case WIRE_HOST_LOGOUT:
    fake->logged_in = FALSE;
    answer(fake, WIRE_OK, &none);
    break;
  case WIRE_HOST_OPERATE:
    operate(fake);
    break;
  case WIRE_HOST_OPEN_CHANNEL:
    fake->key_channel = fd; /* kept open, never read */
    answer(fake, WIRE_OK, &none);
    break;
  default:
    answer_error(fake, SIGNET_ERROR_UNSUPPORTED, "the fake host cannot do this");
    break;
  }
}

/* A notice each time the file `do-changed` is not empty; it is emptied then. In a thread, since
 * a channel reads ahead and its descriptor alone does not tell what is there. */
static gpointer
notice_changes(gpointer data)
{
  Fake *fake = data;
  const WireHeader header = { .kind = WIRE_HOST_CHANGED };
  guint8 packed[WIRE_HEADER_SIZE];
  wire_header_pack(&header, packed);
  for (;;) {
    g_autofree char *changed = read_behaviour(fake, "changed");
    g_autofree char *path = g_build_filename(fake->folder, "do-changed", NULL);
    if (*changed &&
        (truncate(path, 0) != 0 || send(fake->channel.fd, packed, sizeof packed, MSG_NOSIGNAL) < 0))
      _exit(0);
    g_usleep(20000);
  }
  return NULL;
}

/* `--transfer`: says its process id in a file, takes the PIN, and everything else that is asked. */
static void
transfer(Fake *fake)
{
  g_auto(WirePacker) none = { 0 };
  WireReader reader;
  gsize length = 0;
  g_autofree char *behaviour = read_behaviour(fake, "transfer");
  count(fake, fake->channel.header.kind == WIRE_TRANSFER_BIND ? "bind" : "transfer");
  misbehave(fake, behaviour);
  if (fake->channel.header.kind != WIRE_TRANSFER_BIND) {
    answer(fake, WIRE_OK, &none);
    return;
  }
  wire_reader_start(&reader, fake->channel.bytes, fake->channel.header.length);
  for (int i = 0; i < 4; i++) /* serial, label, manufacturer, model */
    g_free(wire_read_text(&reader, WIRE_NAME_MAX));
  const guint8 *pin = wire_read_bytes(&reader, WIRE_PIN_MAX, &length);
  if (strcmp(behaviour, "wrong") == 0 || length != strlen(PIN) || memcmp(pin, PIN, length) != 0)
    answer_error(fake, SIGNET_ERROR_PIN_INCORRECT, "the PIN is wrong");
  else
    answer(fake, WIRE_OK, &none);
}

static G_GNUC_NORETURN void
run_transfer(Fake *fake)
{
  g_autofree char *path = g_build_filename(fake->folder, "transfer-pid", NULL);
  g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
  if (!g_file_set_contents(path, pid, -1, NULL))
    abort();
  wire_channel_start(&fake->channel, 3);
  while (wire_channel_receive(&fake->channel, NULL, BASE_DEADLINE_NEVER, NULL))
    transfer(fake);
  _exit(0);
}

int
main(int argc, char **argv)
{
  Fake fake = { .folder = g_getenv("SIGNET_FAKE_FOLDER"), .key_channel = -1, .generation = 1 };
  if (argc > 1 && strcmp(argv[1], "--transfer") == 0)
    run_transfer(&fake);
  g_autofree char *flags = read_behaviour(&fake, "flags");
  fake.flags = (guint32)strtoul(flags, NULL, 0);
  wire_channel_start(&fake.channel, 3);
  g_thread_unref(g_thread_new("changes", notice_changes, &fake));
  for (;;) {
    int fd = -1;
    if (!wire_channel_receive(&fake.channel, &fd, BASE_DEADLINE_NEVER, NULL))
      _exit(0);
    handle(&fake, fd);
  }
}
