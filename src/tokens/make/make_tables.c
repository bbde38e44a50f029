/* SPDX-License-Identifier: Apache-2.0
 * Runs while mete is built: make_tables vocabulary IN.vocab RANKS OUT.image
 *                           make_tables classes IN.tsv OUT.c */
#include "tokens/split.h"
#include "tokens/vocabulary_build.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "make_tables: %s: %s\n", what, why);
    return 1;
}

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        return NULL;
    long len = ftell(file);
    char *bytes = len < 0 ? NULL : malloc((size_t)len + 1);
    rewind(file);
    if (!bytes || fread(bytes, 1, (size_t)len, file) != (size_t)len)
        return NULL;
    fclose(file);
    bytes[len] = 0;
    *ret_len = (size_t)len;
    return bytes;
}

static int make_vocabulary(const char *in, uint32_t ranks, const char *out)
{
    size_t len = 0, image_len = 0, at = 0;
    char *bytes = read_file(in, &len);
    struct slice *tokens = calloc(VOCABULARY_TOKENS, sizeof *tokens);
    if (!bytes || !tokens || ranks > VOCABULARY_TOKENS)
        return fail(in, "cannot be read");
    for (uint32_t i = 0; i < ranks; i++) {
        if (at >= len || at + 1 + (uint8_t)bytes[at] > len)
            return fail(in, "has fewer ranks");
        tokens[i] = (struct slice){bytes + at + 1, (uint8_t)bytes[at]};
        at += 1 + tokens[i].len;
    }
    const char *why;
    void *image;
    struct vocabulary_source source = {.tokens = tokens, .len = ranks};
    if (vocabulary_build(&source, &image, &image_len, &why))
        return fail(in, why ? why : "no memory");
    FILE *file = fopen(out, "wb");
    if (!file || fwrite(image, 1, image_len, file) != image_len || fclose(file))
        return fail(out, "cannot be written");
    free(image);
    free(tokens);
    free(bytes);
    return 0;
}

static uint8_t classes[0x110000];

static uint8_t class_named(const char *name)
{
    static const struct {
        const char *name;
        uint8_t class;
    } rows[] = {{"Lu", SPLIT_UPPER},    {"Lt", SPLIT_UPPER},    {"Ll", SPLIT_LOWER},
                {"Lm", SPLIT_CASELESS}, {"Lo", SPLIT_CASELESS}, {"M", SPLIT_MARK},
                {"N", SPLIT_NUMBER},    {"WS", SPLIT_SPACE},    {"P", SPLIT_SIGN},
                {"S", SPLIT_SIGN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].class;
    }
    return 0;
}

static int make_classes(const char *in, const char *out)
{
    FILE *from = fopen(in, "r"), *to = fopen(out, "w");
    unsigned first, last;
    char name[8];
    if (!from || !to)
        return fail(in, "cannot be read, or its table written");
    while (fscanf(from, "%x %x %7s", &first, &last, name) == 3) {
        if (last > 0x10FFFF || !class_named(name))
            return fail(in, "has a class nobody knows");
        for (unsigned c = first; c <= last; c++)
            classes[c] = class_named(name);
    }
    fclose(from);
    unsigned blocks[0x1100], kept[256], kept_len = 0;
    fprintf(to, "/* Made by make_tables from unicode16_classes.tsv. */\n"
                "#include \"tokens/split_tables.h\"\nconst uint8_t split_classes[][256] = {\n");
    for (unsigned b = 0; b < 0x1100; b++) {
        unsigned k = 0;
        while (k < kept_len && memcmp(classes + 256 * kept[k], classes + 256 * b, 256) != 0)
            k++;
        blocks[b] = k;
        if (k < kept_len)
            continue;
        if (kept_len == 256)
            return fail(in, "has too many blocks");
        kept[kept_len++] = b;
        for (unsigned i = 0; i < 256; i++)
            fprintf(to, "%s%d,", i ? "" : "{", classes[256 * b + i]);
        fprintf(to, "},\n");
    }
    fprintf(to, "};\nconst uint8_t split_blocks[0x1100] = {\n");
    for (unsigned b = 0; b < 0x1100; b++)
        fprintf(to, "%u,", blocks[b]);
    fprintf(to, "};\n");
    return fclose(to) ? fail(out, "cannot be written") : 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "vocabulary") == 0)
        return make_vocabulary(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), argv[4]);
    if (argc == 4 && strcmp(argv[1], "classes") == 0)
        return make_classes(argv[2], argv[3]);
    return fail("usage", "vocabulary IN.vocab RANKS OUT.image | classes IN.tsv OUT.c");
}
