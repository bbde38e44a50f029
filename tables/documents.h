/* SPDX-License-Identifier: Apache-2.0
 * Kinds of documents that the API keeps through the engine (mete.h, METE_PUT_DOCUMENT): number, for
 * ever; whose they are; what one is. */
ROW(REPLY, 1, INSTALLATION, "what a write with an Idempotency-Key was answered, for a day")
ROW(MEMBER, 2, ORGANIZATION, "somebody who administers an organization, with a role and perhaps a password")
ROW(SERVICE_TOKEN, 3, ORGANIZATION, "what a program administers with: permissions and a hash")
ROW(PLAN, 4, ORGANIZATION, "what a subscription grants each month")
ROW(SUBSCRIPTION, 5, ORGANIZATION, "that somebody has a plan, and until when it was granted")
ROW(PACKAGE, 6, ORGANIZATION, "an amount that can be bought")
ROW(CODE, 7, ORGANIZATION, "a redemption code, by its hash")
ROW(MARKUP, 8, ORGANIZATION, "what an organization pays of the list's prices")
ROW(PROVIDER, 9, INSTALLATION, "a provider as the API changed it")
ROW(MODEL, 10, INSTALLATION, "a model: type, limits, enabled")
ROW(PRICE, 11, INSTALLATION, "prices of one model from a moment on")
ROW(OWN_PRICE, 12, ORGANIZATION, "prices of one model from a moment on, for one organization")
ROW(BATCH, 13, ORGANIZATION, "a batch of calls and what was reserved for it")
ROW(FILE, 14, ORGANIZATION, "a file at a provider, and whose it is")
