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

if(TARGET mete_pricing AND EXISTS ${CMAKE_SOURCE_DIR}/data/prices.csv)
  mete_embed(pricing data/prices.csv)
endif()
