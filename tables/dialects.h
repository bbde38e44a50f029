/* Wire formats: one row each, in the order in which paths are asked.
 * ROW(ID, what it is) declares dialect_ID() of src/dialect/ID*.c. */
#ifndef ROW
#error "define ROW before including tables/dialects.h"
#endif
ROW(chat, "OpenAI chat completions, and what resembles them")
ROW(responses, "OpenAI responses, and what resembles them")
ROW(completions, "OpenAI completions")
ROW(embeddings, "OpenAI embeddings, and what resembles them")
ROW(images, "OpenAI images: those that are generated")
ROW(speech, "OpenAI speech")
ROW(transcriptions, "OpenAI transcriptions")
ROW(videos, "OpenAI videos")
ROW(moderations, "OpenAI moderations")
ROW(gemini, "Google's generateContent, of Gemini and Vertex AI")
ROW(messages, "Anthropic messages")
ROW(ollama, "Ollama's chat")
ROW(ollama_generate, "Ollama's generate")
ROW(cohere, "Cohere's chat")
ROW(cohere_v1, "Cohere's older chat, and Writer's")
ROW(converse, "Bedrock's converse")
#undef ROW
