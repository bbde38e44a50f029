/* Families of models: how the input of their requests is counted. One row each.
 * ROW(ID, family, names, encoding, FLAGS, sealed, PICTURE, PICTURE, FIGURES)
 *   names     what the names of its models begin with, in small letters; of all families the longest
 *             that fits decides. "": found by its id
 *   encoding  "": as the model's name has it
 *   FLAGS     OWN: the encoding is the models' own. OPENAI: that, and tools are shown as TypeScript.
 *             LEGACY: that, as before gpt-5: several calls of a message go through a wrapper.
 *             DEAF: system messages are not billed. HIDES: a text beside a call is not shown again. KEEPS:
 *             sealed thoughts of turns that are over are billed too.
 *             UNBOUNDED: no more is known than that a token has a byte. BEYOND: what the provider
 *             looks up by itself is billed too. LOOSE: tools are counted without
 *             "additionalProperties": false
 *   sealed    bytes of each sealed thought that are no thought
 *   PICTURE   of tables/pictures.h; the second where bills were seen by either
 *   FIGURES   of tables/prompt_figures.h, with and without _BOUND */
#ifndef ROW
#error "define ROW before including tables/prompt_families.h"
#endif
ROW(GPT_4O, "openai gpt-4o", "gpt-4o chatgpt-4o gpt-4.1 gpt-4.5", "o200k_base", LEGACY, 0, GPT_4O, NO_FORMULA, OPENAI_4)
ROW(GPT_4O_MINI, "openai gpt-4o-mini", "gpt-4o-mini", "o200k_base", LEGACY, 0, GPT_4O_MINI, NO_FORMULA, OPENAI_4)
ROW(GPT_41_MINI, "openai gpt-4.1-mini", "gpt-4.1-mini", "o200k_base", LEGACY, 0, PATCHES_1620, NO_FORMULA, OPENAI_4)
ROW(GPT_41_NANO, "openai gpt-4.1-nano", "gpt-4.1-nano", "o200k_base", LEGACY, 0, PATCHES_2460, NO_FORMULA, OPENAI_4)
ROW(O_SERIES, "openai o1, o3", "computer-use o1 o3", "o200k_base", OPENAI, 890, O1, NO_FORMULA, OPENAI_O)
ROW(O4_MINI, "openai o4-mini", "codex-mini o4-mini", "o200k_base", OPENAI, 890, PATCHES_1720, NO_FORMULA, OPENAI_O)
ROW(GPT_5, "openai gpt-5", "gpt-5", "o200k_base", OPENAI, 890, GPT_5, PATCHES_1200, OPENAI_5)
ROW(GPT_5_PATH, "openai gpt-5 by its path", "openai/gpt-5", "o200k_base", OPENAI, 890, GPT_5, PATCHES_1200, OPENAI_5_PATH)
ROW(GPT_5_MINI, "openai gpt-5-mini", "gpt-5-mini", "o200k_base", OPENAI, 890, PATCHES_1200, PATCHES_1620, OPENAI_5)
ROW(GPT_5_MINI_PATH, "openai gpt-5-mini by its path", "openai/gpt-5-mini", "o200k_base", OPENAI, 890, PATCHES_1200, PATCHES_1620, OPENAI_5_PATH)
ROW(GPT_5_NANO, "openai gpt-5-nano", "gpt-5-nano", "o200k_base", OPENAI, 890, PATCHES_1500, PATCHES_2460, OPENAI_5)
ROW(GPT_5_NANO_PATH, "openai gpt-5-nano by its path", "openai/gpt-5-nano", "o200k_base", OPENAI, 890, PATCHES_1500, PATCHES_2460, OPENAI_5_PATH)
ROW(GPT_5_BEDROCK, "openai gpt-5 at bedrock", "openai.gpt-5", "o200k_base", OPENAI | KEEPS, 690, GPT_5, PATCHES_1200, BEDROCK_5)
ROW(O1_MINI, "openai o1-mini", "o1-mini o1-preview", "o200k_base", OPENAI, 0, NO_FORMULA, NO_FORMULA, OPENAI_O1)
ROW(GPT_4O_SEARCH, "openai gpt-4o-search", "gpt-4o-search gpt-4o-mini-search", "o200k_base", LEGACY | DEAF, 0, GPT_4O, NO_FORMULA, OPENAI_SEARCH)
ROW(GPT_4, "openai gpt-4", "gpt-4 gpt-3.5 gpt-35", "cl100k_base", LEGACY, 0, GPT_4O, NO_FORMULA, OPENAI_4)
ROW(GPT_3_0301, "openai gpt-3.5-turbo-0301", "gpt-3.5-turbo-0301", "cl100k_base", OPENAI, 0, NO_FORMULA, NO_FORMULA, OPENAI_0301)
ROW(GPT_TEXT, "openai texts", "", "", OWN, 0, NO_FORMULA, NO_FORMULA, OPENAI_TEXT)
ROW(GPT_OSS, "openai gpt-oss", "gpt-oss", "o200k_harmony", OPENAI | HIDES, 0, NO_FORMULA, NO_FORMULA, GPT_OSS)
ROW(GPT_OSS_PATH, "openai gpt-oss by its path", "openai/gpt-oss", "o200k_harmony", OPENAI | HIDES, 0, NO_FORMULA, NO_FORMULA, GPT_OSS_PATH)
ROW(CLAUDE_2, "claude 2", "claude-2 claude-instant claude-v2", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, CLAUDE_2)
ROW(CLAUDE_3, "claude 3", "claude-3", "o200k_base", 0, 0, CLAUDE, NO_FORMULA, CLAUDE_3)
ROW(CLAUDE_3_7, "claude 3.7", "claude-3-7 claude-3.7", "o200k_base", 0, 0, CLAUDE, NO_FORMULA, CLAUDE_3_7)
ROW(CLAUDE_4, "claude 4", "claude-opus-4 claude-sonnet-4 claude-haiku-4 claude-4", "o200k_base", 0, 0, CLAUDE, NO_FORMULA, CLAUDE_4)
ROW(CLAUDE_5, "claude 5", "claude-opus-4-7 claude-opus-4-8 claude-opus-4.7 claude-opus-4.8 claude", "o200k_base", 0, 0, CLAUDE_4_7, NO_FORMULA, CLAUDE_5)
ROW(GEMINI_2, "gemini to 2.0", "gemini-1 gemini-2.0 gemma", "o200k_base", LOOSE, 0, GEMINI, NO_FORMULA, GEMINI_2)
ROW(GEMINI_2_5, "gemini 2.5", "gemini-2", "o200k_base", LOOSE, 0, GEMINI, NO_FORMULA, GEMINI_2_5)
ROW(GEMINI_3, "gemini 3", "gemini", "o200k_base", LOOSE, 250, GEMINI_3, GEMINI, GEMINI_3)
ROW(LLAMA_3, "llama 3", "llama3- llama-3- llama-2 deepseek-r1-distill-llama", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, LLAMA_3)
ROW(LLAMA_4, "llama 3.1 to 4", "llama meta-llama", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, LLAMA_4)
ROW(MISTRAL, "mistral", "mistral mixtral ministral magistral codestral devstral pixtral open-mistral open-mixtral", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, MISTRAL)
ROW(QWEN, "qwen", "deepseek-r1-distill-qwen qwen qwq", "o200k_base", 0, 0, QWEN, NO_FORMULA, QWEN)
ROW(QWEN_CODER, "qwen coder", "qwen3-coder qwen-3-coder qwen2.5-coder", "o200k_base", 0, 0, QWEN, NO_FORMULA, QWEN_CODER)
ROW(DEEPSEEK, "deepseek to 3", "deepseek", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, DEEPSEEK)
ROW(DEEPSEEK_4, "deepseek 4", "deepseek-v4 deepseek-v5", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, DEEPSEEK_4)
ROW(GLM, "glm to 4", "glm zai-glm", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, GLM)
ROW(GLM_5, "glm 5", "glm-5 zai-glm-5", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, GLM_5)
ROW(KIMI, "kimi", "kimi moonshot", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, KIMI)
ROW(COHERE, "cohere", "command", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, COHERE)
ROW(COHERE_7B, "cohere r7b, a", "command-r7b command-a c4ai", "o200k_base", 0, 0, NO_FORMULA, NO_FORMULA, COHERE_7B)
ROW(COMPOUND, "groq compound", "compound", "o200k_base", UNBOUNDED | BEYOND, 0, NO_FORMULA, NO_FORMULA, COMPOUND)
ROW(UNKNOWN, "unknown", "", "o200k_base", UNBOUNDED, 0, NO_FORMULA, NO_FORMULA, UNKNOWN)
#undef ROW
