/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every limit on what comes over a socket, in one place. */

#define WIRE_PROTOCOL 1 /* of the Varlink interfaces and of the host channel alike */

/* The Varlink socket */
#define WIRE_MESSAGE_MAX (256 * 1024) /* bytes of one JSON message, without its NUL */
#define WIRE_DEPTH_MAX 16             /* nesting of objects and arrays */
#define WIRE_CONNECTIONS_MAX 512      /* to the broker, altogether */
#define WIRE_CONNECTIONS_PER_PROCESS 128
#define WIRE_QUEUE_MAX (1024 * 1024) /* bytes waiting for a client that does not read */
#define WIRE_HALF_MESSAGE_MS 10000   /* a message begun must be complete within */
#define WIRE_WATCHERS_MAX 64
#define WIRE_RECIPIENTS_MAX 500 /* in one FindRecipient call */

/* Data of operations (Ed25519 signs the message itself: a mail's signed attributes) */
#define WIRE_SIGN_DATA_MAX (64 * 1024)
#define WIRE_CIPHERTEXT_MAX 2048 /* RSA up to 16384 bits */
#define WIRE_POINT_MAX 256       /* an EC point */
#define WIRE_LABEL_MAX 1024      /* an OAEP label */
#define WIRE_CERTIFICATE_MAX (128 * 1024)
#define WIRE_NAME_MAX 512 /* labels, addresses, paths in requests */
#define WIRE_PIN_MAX 255

/* The host channel and key channels */
#define WIRE_FRAME_MAX (256 * 1024) /* one binary frame after its header */
#define WIRE_OBJECTS_MAX 100000     /* on one token */
#define WIRE_TOKENS_MAX 256         /* in one module */
#define WIRE_CHANNELS_MAX 256       /* key channels open in one host */

/* Deadlines, milliseconds */
#define WIRE_OPERATION_MS 30000  /* one sign, decrypt, derive */
#define WIRE_PERSON_MS 60000     /* one that may wait for touch, finger or PIN pad */
#define WIRE_GENERATE_MS 180000  /* RSA-4096 on a slow card */
#define WIRE_HOST_START_MS 15000 /* C_Initialize with a slow reader */
