/* What a picture comes to in tokens: formulas of prompts/image.h with their figures.
 * ROW(ID, KIND, base, each, text) */
#ifndef ROW
#error "define ROW before including tables/pictures.h"
#endif
ROW(NO_FORMULA, UNKNOWN, 0, 0, "49,152: the most of any")
ROW(GPT_4O, TILES, 85, 170, "85, and 170 a tile of 512 x 512 of what fits 2,048 and has a short side of 768; 85 at low detail")
ROW(GPT_4O_MINI, TILES, 2833, 5667, "the same with 2,833 and 5,667")
ROW(O1, TILES, 75, 150, "the same with 75 and 150")
ROW(GPT_5, TILES, 70, 140, "the same with 70 and 140")
ROW(PATCHES_1200, PATCHES, 0, 1200, "1.2 for each 32 x 32, of which 1,536 are taken at most; and one")
ROW(PATCHES_1500, PATCHES, 0, 1500, "1.5 for each; and one")
ROW(PATCHES_1620, PATCHES, 0, 1620, "1.62 for each; and one")
ROW(PATCHES_1720, PATCHES, 0, 1720, "1.72 for each; and one")
ROW(PATCHES_2460, PATCHES, 0, 2460, "2.46 for each; and one")
ROW(CLAUDE, CLAUDE, 1568, 1600, "one for each 28 x 28 of what fits 1,568, 1,600 at most; and three")
ROW(CLAUDE_4_7, CLAUDE, 2576, 4784, "one for each 28 x 28 of what fits 2,576, 4,784 at most; and three")
ROW(GEMINI, GEMINI, 0, 0, "258 up to 384 x 384, else as many for the whole and for each tile, whose side is two thirds of the short one (256 to 768)")
ROW(GEMINI_3, FIXED, 1120, 0, "1,120")
ROW(QWEN, QWEN, 0, 0, "one for each 28 x 28, and two; 16,384 at most")
#undef ROW
