# Data files that are linked into the binary as they stand: data/NAME becomes data_NAME[] and
# data_NAME_len, with every byte that is no letter or digit an underscore.
function(mete_embed layer file)
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "[^A-Za-z0-9]" "_" symbol data_${name})
  set(out ${CMAKE_BINARY_DIR}/embedded/${symbol}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/embed ${CMAKE_SOURCE_DIR}/${file} ${symbol} ${out}
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_SOURCE_DIR}/tools/embed)
  target_sources(mete_${layer} PRIVATE ${out})
endfunction()

mete_embed(web docs/openapi.yaml)
mete_embed(web src/web/page.css)
if(TARGET mete_pricing AND EXISTS ${CMAKE_SOURCE_DIR}/data/prices.csv)
  mete_embed(pricing data/prices.csv)
endif()

# The tables of src/tokens: a program of ours makes them while mete is built, so that nothing is
# parsed when it starts. They are linked as they stand, and read where they lie.
add_executable(make_tables src/tokens/make/make_tables.c src/tokens/vocabulary_build.c
  src/tokens/vocabulary.c src/tokens/vocabulary_bonds.c src/tokens/vocabulary_hash.c src/base/assert.c)
set_target_properties(make_tables PROPERTIES COMPILE_OPTIONS "-O2")
function(mete_vocabulary name from ranks)
  set(image ${CMAKE_BINARY_DIR}/embedded/${name}.image)
  set(out ${CMAKE_BINARY_DIR}/embedded/vocabulary_${name}.c)
  set(data ${CMAKE_SOURCE_DIR}/data/vocab/${from}.vocab)
  add_custom_command(OUTPUT ${image} COMMAND make_tables vocabulary ${data} ${ranks} ${image}
    DEPENDS make_tables ${data})
  file(WRITE ${out}.new "/* Made by cmake/data.cmake. */
__asm__(\".section .rodata\\n.balign 64\\n.globl vocabulary_${name}\\n\"
        \"vocabulary_${name}:\\n.incbin \\\"${image}\\\"\\n\"
        \".globl vocabulary_${name}_end\\nvocabulary_${name}_end:\\n.byte 0\\n.previous\\n\");
extern const unsigned char vocabulary_${name}[];
")
  file(COPY_FILE ${out}.new ${out} ONLY_IF_DIFFERENT)
  set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS ${image})
  target_sources(mete_tokens PRIVATE ${out})
endfunction()
if(TARGET mete_tokens)
  set(out ${CMAKE_BINARY_DIR}/embedded/split_tables.c)
  set(classes ${CMAKE_SOURCE_DIR}/data/vocab/unicode16_classes.tsv)
  add_custom_command(OUTPUT ${out} COMMAND make_tables classes ${classes} ${out}
    DEPENDS make_tables ${classes})
  target_sources(mete_tokens PRIVATE ${out})
  mete_vocabulary(o200k_base o200k_base 199998)
  mete_vocabulary(cl100k_base cl100k_base 100256)
  mete_vocabulary(p50k_base p50k_base 50281)
  mete_vocabulary(r50k_base p50k_base 50256)
endif()
