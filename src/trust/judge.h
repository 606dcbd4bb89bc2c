/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From facts to verdicts and sentences; for the files of this folder. Nothing is looked up here. */

#include "trust/verdict.h"

/* Of a signer with all its facts: its verdict and sentence. */
void trust_judge(TrustSigner *signer, const TrustClaim *claim, TrustRevocationPolicy policy);

/* Of all signers, judged: the worst, and what is not covered. */
void trust_judge_all(TrustReport *report);
