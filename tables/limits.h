/* Limits: every maximum of the program, one row each, with its reason.
 * ROW(NAME, value, unit, reason) gives LIMIT_NAME. */
#ifndef ROW
#error "define ROW before including tables/limits.h"
#endif
ROW(ID, 128, "bytes", "an id of the user's: a UUID with a prefix fits three times")
ROW(PROVIDER, 64, "bytes", "a provider's name")
ROW(NOTE, 4096, "bytes", "metadata of one usage record")
ROW(DOCUMENT, 16384, "bytes", "what the directory keeps of one scope or budget")
ROW(CHANGES, 256, "changes", "one atomic administrative batch fits one group of the journal")
ROW(TTL_MS, 86400000, "ms", "a reservation nobody ends returns within a day")
ROW(PORTS, 256, "ports", "threads that talk to one engine")
ROW(RING, 4096, "operations", "one port's ring; a full ring is a 503")
ROW(PATH_SCOPES, 8, "scopes", "depth of the scope tree")
ROW(SCOPE_BUDGETS, 8, "budgets", "of one scope; times PATH_SCOPES bounds one verdict")
ROW(SCOPES, 8388608, "scopes", "a million keys and their users, with room")
ROW(BUDGETS, 16777216, "budgets", "four for every other scope at full size")
ROW(NAMES, 65534, "names", "models, providers and price lists that get a number; later ones are written out each time")
ROW(RESERVATIONS, 4194304, "reservations", "open at once")
ROW(OUTCOMES, 1048576, "outcomes", "ended calls remembered, so that a repeat is recognised")
ROW(SCOPE_OUTCOMES, 65536, "outcomes", "remembered for one scope")
ROW(OUTCOME_S, 86400, "s", "how long an ended call is remembered at most")
ROW(GROUP, 1048576, "bytes", "entries of one group commit")
ROW(RECORD_BACKLOG, 65536, "records", "waiting to be projected; then admission slows")
ROW(PRICE, 1000000, "currency units per million", "dearer is a unit mistake of the source: flag it, never bill it")
ROW(TEMPLATE_TOKENS, 64, "tokens", "a chat template adds to a short prompt or to one answer; the longest recorded one is under it")
ROW(TOOLS_TOKENS, 1024, "tokens", "a provider's preamble for tools; at most 537 over the body's bytes in 241 recorded calls")
ROW(IMAGE_TOKENS, 49152, "tokens", "one image: the dearest known model takes 2833 + 8 tiles of 5667 for the largest")
ROW(FILE_TOKENS, 2097152, "tokens", "a file or video: no prompt exceeds its context window, and none that takes files is wider")
ROW(OUTPUT_TOKENS, 16777216, "tokens", "one answer; far over every model, and n times it still multiplies with every price")
ROW(UNDER_WAY_TOKENS, 1024, "tokens", "made by a provider between its last byte that arrived and its noticing that nobody reads")
ROW(RETRY_AFTER_S, 3600, "s", "a client sleeps no longer than this; what takes longer it is told as a time")
#undef ROW
