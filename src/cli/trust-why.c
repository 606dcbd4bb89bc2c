/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "cli/mail.h"
#include "cli/root.h"
#include "cli/verbs.h"
#include "cli/verdict.h"
#include "wire/json.h"

#include <string.h>

#define FILE_MAX ((gsize)4 * 1024 * 1024) /* of certificates */
#define PREFIX_MIN 8
#define CAUSES_MAX 100

/* What is asked about, and what came with it. */
typedef struct {
  GPtrArray *certificates; /* (element-type BaseCert): asked about */
  GPtrArray *others;       /* (element-type BaseCert): may stand in the chain */
  char *id;                /* (nullable) our ID, whose certificate it is */
  const char *file;        /* (nullable) */
} Question;

static void
question_clear(Question *question)
{
  g_clear_pointer(&question->certificates, g_ptr_array_unref);
  g_clear_pointer(&question->others, g_ptr_array_unref);
  g_free(question->id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Question, question_clear)

static GPtrArray *
new_list(void)
{
  return g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
}

static void
add_copy(GPtrArray *list, const BaseCert *certificate)
{
  BaseCert *copy = base_cert_new(certificate->der, NULL);
  if (copy)
    g_ptr_array_add(list, copy);
}

/* The persons' certificates of a file, or its first where all are CAs'. */
static void
take_certificates(Question *question, GPtrArray *all)
{
  question->others = g_ptr_array_ref(all);
  question->certificates = new_list();
  for (guint i = 0; i < all->len; i++)
    if (!(((const BaseCert *)g_ptr_array_index(all, i))->use & BASE_USE_CA))
      add_copy(question->certificates, g_ptr_array_index(all, i));
  if (question->certificates->len == 0)
    add_copy(question->certificates, g_ptr_array_index(all, 0));
}

/* Of the innermost signature. */
static gboolean
take_mail(Cli *cli, Question *question, BaseInput *input, GError **error)
{
  g_autoptr(MimeOpened) mail = cli_mail_open(cli, input, MIME_OPEN_VERIFY, error);
  if (!mail)
    return FALSE;
  const MimeLayer *layer = mime_opened_signed(mail);
  const CmsVerified *verified = layer ? layer->verified : NULL;
  if (!verified)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%s is neither a certificate nor a signed mail", question->file);
  question->certificates = new_list();
  question->others = new_list();
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    if (signature->certificate)
      add_copy(question->certificates, signature->certificate);
  }
  for (guint i = 0; verified->certificates && i < verified->certificates->len; i++)
    add_copy(question->others, g_ptr_array_index(verified->certificates, i));
  return question->certificates->len > 0 ||
         base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "%s is signed, but its signer's certificate is not in it", question->file);
}

static GBytes *
whole_of(BaseInput *input, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(FILE_MAX);
  if (!base_input_read(input, 0, base_input_length(input), memory, error) ||
      !base_sink_finish(memory, error))
    return NULL;
  return base_sink_memory_bytes(memory);
}

static gboolean
take_file(Cli *cli, Question *question, const char *path, GError **error)
{
  g_autoptr(GError) no_certificate = NULL;
  g_autoptr(BaseInput) input = base_input_open(path, G_MAXOFFSET, error);
  if (!input)
    return FALSE;
  question->file = strcmp(path, "-") == 0 ? "standard input" : path;
  if (base_input_length(input) > (goffset)FILE_MAX)
    return take_mail(cli, question, input, error);
  g_autoptr(GBytes) bytes = whole_of(input, error);
  if (!bytes)
    return FALSE;
  g_autoptr(GPtrArray) all = base_cert_read_all(bytes, question->file, &no_certificate);
  if (!all)
    return take_mail(cli, question, input, error);
  take_certificates(question, all);
  return TRUE;
}

/* The certificates in use; a fingerprint names one of them. */
static void
take_used(Question *question, const SignetId *id, const char *name)
{
  static const guint uses[] = { SIGNET_USE_SIGN, SIGNET_USE_ENCRYPT };
  g_autofree char *prefix = g_ascii_strdown(name, -1);
  for (guint k = 0; k < id->keys->len; k++) {
    const SignetKey *key = g_ptr_array_index(id->keys, k);
    for (guint c = 0; c < key->certificates->len; c++) {
      const SignetCertificate *one = g_ptr_array_index(key->certificates, c);
      gboolean wanted = g_str_has_prefix(one->fingerprint, prefix);
      for (gsize u = 0; u < G_N_ELEMENTS(uses); u++)
        wanted = wanted || (!g_ascii_isxdigit(*name) || strchr(name, '@')
                                ? cli_newest_certificate(id, uses[u], NULL) == one
                                : FALSE);
      BaseCert *certificate = wanted && one->der ? base_cert_new(one->der, NULL) : NULL;
      if (certificate)
        g_ptr_array_add(question->certificates, certificate);
    }
  }
}

static gboolean
take_id(Cli *cli, Question *question, const char *name, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, name, TRUE, error);
  if (!id)
    return FALSE;
  question->id = g_strdup(id->id);
  question->certificates = new_list();
  question->others = new_list();
  take_used(question, id, name);
  const SignetCertificate *newest =
      question->certificates->len ? NULL : cli_newest_certificate(id, 0, NULL);
  BaseCert *any = newest && newest->der ? base_cert_new(newest->der, NULL) : NULL;
  if (any)
    g_ptr_array_add(question->certificates, any);
  g_autoptr(SignetChoice) choice =
      signet_id_choose(cli->client, SIGNET_USE_SIGN, id->id, NULL, NULL);
  for (guint i = 0; choice && choice->chain && i < choice->chain->len; i++) {
    BaseCert *issuer = base_cert_new(g_ptr_array_index(choice->chain, i), NULL);
    if (issuer)
      g_ptr_array_add(question->others, issuer);
  }
  return question->certificates->len > 0 ||
         base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s has no certificate yet", id->id);
}

static gboolean
take_root(Question *question, TrustStore *store, const char *name)
{
  g_autofree char *prefix = g_ascii_strdown(name, -1);
  if (strlen(name) < PREFIX_MIN || strspn(prefix, "0123456789abcdef") != strlen(prefix))
    return FALSE;
  g_autoptr(GPtrArray) roots = trust_store_list(store);
  for (guint i = 0; i < roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(roots, i);
    if (!g_str_has_prefix(root->certificate->fingerprint, prefix))
      continue;
    question->certificates = new_list();
    question->others = new_list();
    add_copy(question->certificates, root->certificate);
    return TRUE;
  }
  return FALSE;
}

static gboolean
take(Cli *cli, Question *question, TrustStore *store, GError **error)
{
  const char *name = cli_argument(cli, 0);
  if (strcmp(name, "-") == 0 || g_file_test(name, G_FILE_TEST_EXISTS))
    return take_file(cli, question, name, error);
  if (strchr(name, '/')) /* a path, if anything: its error says so */
    return take_file(cli, question, name, error);
  return take_root(question, store, name) || take_id(cli, question, name, error);
}

/* ---- telling ---- */

typedef struct {
  char *text;   /* (nullable) what to do */
  char *try[6]; /* the words to type; NULL at the end */
} Advice;

static void
advice_clear(Advice *advice)
{
  g_free(advice->text);
  for (int i = 0; advice->try[i]; i++)
    g_free(advice->try[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Advice, advice_clear)

static void
set_try(Advice *advice, const char *group, const char *verb, const char *word)
{
  const char *const words[] = { "signet", group, verb, word, NULL };
  for (int i = 0; words[i]; i++)
    advice->try[i] = g_strdup(words[i]);
}

static void
advise_root(const Question *question, const BaseCert *root, Advice *advice)
{
  gboolean in_file = question->file && strcmp(question->file, "standard input") != 0 &&
                     question->certificates->len == 1 && question->others->len == 1;
  set_try(advice, "trust", "add", in_file ? question->file : "FILE");
  advice->text = g_strdup_printf(
      "If you are sure of it, trust it%s. Compare its fingerprint first, by another way: %s",
      in_file ? "" : " (FILE: its certificate, as its owner publishes it)", root->fingerprint);
}

static void
advise(const Question *question, const TrustWhy *why, Advice *advice)
{
  const TrustStep *last = g_ptr_array_index(why->steps, why->steps->len - 1);
  switch (why->need) {
  case TRUST_NEEDS_ISSUER:
    set_try(advice, "trust", "add", "FILE");
    advice->text = g_strdup_printf(
        "Missing: the certificate of %s%s%s. Get it from %swhoever issued this one, and that of "
        "its root; both may be in FILE.",
        last->certificate->issuer, why->url ? ", to be had at " : "", why->url ? why->url : "",
        why->url ? "there (--fetch does that) or from " : "");
    break;
  case TRUST_NEEDS_ROOT:
    advise_root(question, last->certificate, advice);
    break;
  case TRUST_NEEDS_OTHER:
    if (question->id) {
      set_try(advice, "id", "renew", question->id);
      advice->text = g_strdup("It takes another certificate for this ID.");
    }
    break;
  case TRUST_NEEDS_NOTHING:
  default:
    break;
  }
}

static void
print_step(const Cli *cli, const TrustStep *step, guint depth, gboolean known)
{
  g_autofree char *indent = g_strnfill(depth * 3, ' ');
  g_autofree char *below = g_strnfill(depth * 3 + 3, ' ');
  g_autofree char *until = cli_day(step->certificate->not_after);
  g_autofree char *origin = step->origin ? cli_root_origin(step->origin) : NULL;
  const char *how = origin ? (depth == 0 ? ", trusted by " : ", from ") : known ? ", given" : "";
  g_autofree char *line = g_strdup_printf("%s, until %s%s%s", cli_root_name(step->certificate),
                                          until, how, origin ? origin : "");
  g_autofree char *safe = cli_safe(line);
  cli_say(cli, "%s%s%s", indent, depth ? "└─ " : "", safe);
  for (guint i = 0; i < step->problems->len; i++) {
    g_autofree char *problem =
        g_strconcat("✗ ", (const char *)g_ptr_array_index(step->problems, i), NULL);
    cli_root_wrap(cli, below, problem);
  }
  g_autofree char *revoked = step->revocation ? cli_revocation_text(step->revocation) : NULL;
  g_autofree char *said = g_strconcat("Revoked: ", revoked, NULL);
  if (revoked)
    cli_root_wrap(cli, below, said);
}

/* From the root down. */
static void
print_why(Cli *cli, const TrustWhy *why, const Advice *advice)
{
  g_autofree char *verdict = why->trusted ? g_strdup("Trusted for mail.")
                                          : g_strdup_printf("Not trusted: %s.", why->reason);
  guint depth = 0;
  cli_root_wrap(cli, "", verdict);
  cli_say(cli, "%s", "");
  if (why->need == TRUST_NEEDS_ISSUER) {
    const TrustStep *last = g_ptr_array_index(why->steps, why->steps->len - 1);
    g_autofree char *missing = g_strconcat("? ", last->certificate->issuer, NULL);
    cli_root_wrap(cli, "", missing);
    depth++;
  }
  for (guint i = why->steps->len; i > 0; i--)
    print_step(cli, g_ptr_array_index(why->steps, i - 1), depth++, i > 1);
  if (!advice->text)
    return;
  cli_say(cli, "%s", "");
  cli_root_wrap(cli, "", advice->text);
  if (advice->try[0]) {
    g_autofree char *words = cli_join(advice->try, " ", "");
    g_autofree char *safe = cli_safe(words);
    cli_say(cli, "Try: %s", safe);
  }
}

static json_t *
json_of(const TrustWhy *why, const Advice *advice)
{
  json_t *chain = json_array();
  for (guint i = 0; i < why->steps->len; i++) {
    const TrustStep *step = g_ptr_array_index(why->steps, i);
    json_t *object = cli_json_cert(step->certificate);
    json_t *problems = json_array();
    for (guint p = 0; p < step->problems->len && p < CAUSES_MAX; p++)
      json_array_append_new(problems, cli_json_text(g_ptr_array_index(step->problems, p)));
    json_object_set_new(object, "origin", cli_json_text(step->origin));
    json_object_set_new(object, "problems", problems);
    json_object_set_new(object, "revocation", cli_json_revocation(step->revocation));
    json_array_append_new(chain, object);
  }
  return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "trusted", why->trusted, "reason",
                   cli_json_text(why->reason), "chain", chain, "issuer_url",
                   cli_json_text(why->url), "advice", cli_json_text(advice->text), "try",
                   advice->try[0] ? cli_json_strv(advice->try) : json_null());
}

/* Its chain; with --fetch, what it lacks is asked for, and kept for all who read mail of that issuer. */
static TrustWhy *
explain(const Cli *cli, TrustStore *store, const BaseCert *certificate, GPtrArray *others)
{
  TrustWhy *why = trust_why(store, certificate, others);
  if (why->need != TRUST_NEEDS_ISSUER || !cli_flag(cli, "fetch"))
    return why;
  const TrustStep *last = g_ptr_array_index(why->steps, why->steps->len - 1);
  g_autoptr(GPtrArray) found = trust_issuers_find(last->certificate, TRUE);
  if (!found || found->len == 0)
    return why;
  for (guint i = 0; i < found->len; i++)
    add_copy(others, g_ptr_array_index(found, i));
  trust_why_free(why);
  return trust_why(store, certificate, others);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Question) question = { 0 };
  TrustRevocationPolicy policy;
  if (!trust_revocation_policy(&policy, error))
    return FALSE;
  g_autoptr(TrustStore) store = trust_store_new(error);
  if (!store || !take(cli, &question, store, error))
    return FALSE;
  g_autoptr(WireJson) list = json_array();
  for (guint i = 0; i < question.certificates->len; i++) {
    g_auto(Advice) advice = { 0 };
    g_autoptr(TrustWhy) why =
        explain(cli, store, g_ptr_array_index(question.certificates, i), question.others);
    trust_why_ask(why, policy);
    advise(&question, why, &advice);
    if (i)
      cli_say(cli, "%s", "");
    print_why(cli, why, &advice);
    json_array_append_new(list, json_of(why, &advice));
  }
  return cli_json(
      cli, json_pack("{s:o, s:O}", "id", cli_json_text(question.id), "certificates", list), error);
}

static const CliOption options[] = {
  { "fetch", 0, CLI_FLAG, NULL, "get missing issuers from where the certificate says they are" },
  { 0 },
};

const CliVerb cli_trust_why = {
  .group = "trust",
  .name = "why",
  .arguments = "CERT|FILE|ADDRESS",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "say why a certificate is trusted or not, step by step",
  .more = "FILE: a certificate, with others of its chain beside it, or a signed mail. ADDRESS:\n"
          "that of an ID of yours. CERT: a fingerprint (8 or more hex digits) of a root or of an\n"
          "ID's certificate. Exit status 0 whatever the answer is.",
  .example = "signet trust why signed.eml",
  .options = options,
  .run = run,
};
