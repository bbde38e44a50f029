/* SPDX-License-Identifier: Apache-2.0
 * What a key may be permitted to call at the gateway: one row each. A word is for what is asked,
 * whatever format it is asked in.
 * ROW(NAME, word, what it is); their order is that of the bits in memory and nowhere else. */
#ifndef ROW
#error "define ROW before including tables/endpoints.h"
#endif
ROW(CHAT, "chat", "Chat in every format: chat completions, responses, messages and the counting of their tokens, generateContent, Ollama's, Cohere's and Bedrock's")
ROW(COMPLETIONS, "completions", "Text completions, and Ollama's generate")
ROW(EMBEDDINGS, "embeddings", "Embeddings")
ROW(IMAGES, "images", "Pictures made or changed")
ROW(SPEECH, "speech", "Text read aloud")
ROW(TRANSCRIPTIONS, "transcriptions", "Sound written down, or translated")
ROW(VIDEOS, "videos", "Videos made")
ROW(MODERATIONS, "moderations", "Texts and pictures judged")
ROW(FILES, "files", "Files kept at a provider")
ROW(BATCHES, "batches", "Batches of calls")
ROW(PASS_THROUGH, "pass_through", "A provider's other paths")
#undef ROW
